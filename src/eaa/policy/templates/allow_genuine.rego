# DANGEROUS. Releases resources to any genuine TEE, also to one that is out of date, under debug, or runs code
# that nobody knows: whoever can rent such a machine gets the secrets. It is what Trustee does by default.
package policy

import rego.v1

default allow := false

allow if {
	data.plugin == "resource"
	count(input.submods) > 0
	count(not_genuine) == 0
}

not_genuine contains name if {
	some name, submod in input.submods
	not genuine(submod["ear.veraison.annotated-evidence"])
}

# The sample TEEs prove nothing.
genuine(evidence) if {
	count(object.keys(evidence) & tees) == 1
	not evidence.sample
	not evidence.sampledevice
}

tees := {
	"sgx", "tdx", "snp", "az-snp-vtpm", "az-tdx-vtpm", "cca", "csv", "se", "tpm",
	"nvidia", "hygondcu", "nvidia-dpu",
}

explanation contains {"rule": "plugin", "claim": "plugin", "expected": "resource", "came": data.plugin} if {
	data.plugin != "resource"
}

explanation contains {
	"rule": "genuine",
	"claim": sprintf("submods.%s.ear.veraison.annotated-evidence", [name]),
	"expected": "one TEE, and not the sample one",
	"came": concat(", ", sort(object.keys(object.get(input.submods[name], "ear.veraison.annotated-evidence", {})))),
} if {
	some name in not_genuine
}

explanation contains {"rule": "attested", "claim": "submods", "expected": "at least one", "came": "none"} if {
	not has_submods
}

has_submods if count(input.submods) > 0
