# Releases to whom every attestation policy affirms, and to nobody else.
package policy

import rego.v1

default allow := false

allow if {
	count(input.submods) > 0
	count(not_affirming) == 0
}

not_affirming[name] := object.get(submod, "ear.status", "no status") if {
	some name, submod in input.submods
	not submod["ear.status"] == "affirming"
}

explanation contains {
	"rule": "affirming",
	"claim": sprintf("submods.%s.ear.status", [name]),
	"expected": "affirming",
	"came": status,
} if {
	some name, status in not_affirming
}

explanation contains {
	"rule": "attested",
	"claim": "submods",
	"expected": "at least one",
	"came": "none",
} if {
	not has_submods
}

has_submods if count(input.submods) > 0
