# Releases nothing.
package policy

import rego.v1

default allow := false

explanation := [{"rule": "deny_all", "claim": "plugin", "expected": "nothing is released here", "came": data.plugin}]
