# DANGEROUS. Releases resources to the sample TEE, which proves nothing, and only to it. For tests.
package policy

import rego.v1

default allow := false

allow if {
	data.plugin == "resource"
	count(input.submods) > 0
	every submod in input.submods {
		submod["ear.veraison.annotated-evidence"].sample
	}
}

explanation contains {"rule": "plugin", "claim": "plugin", "expected": "resource", "came": data.plugin} if {
	data.plugin != "resource"
}

explanation contains {
	"rule": "sample",
	"claim": sprintf("submods.%s.ear.veraison.annotated-evidence", [name]),
	"expected": "the sample TEE",
	"came": concat(", ", sort(object.keys(object.get(submod, "ear.veraison.annotated-evidence", {})))),
} if {
	some name, submod in input.submods
	not submod["ear.veraison.annotated-evidence"].sample
}

explanation contains {"rule": "attested", "claim": "submods", "expected": "at least one", "came": "none"} if {
	not has_submods
}

has_submods if count(input.submods) > 0
