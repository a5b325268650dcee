# Genuine, up to date, and not under debug. Which code runs is not looked at: executables is always 33,
# "not recognised", and the result is never affirming. For machines whose measurements nobody has yet, and
# for resource policies that ask for single trust claims.
package policy

import rego.v1

default hardware := 97

default configuration := 36

trust_claims := {
	"instance-identity": 0,
	"configuration": configuration,
	"executables": 33,
	"file-system": 0,
	"hardware": hardware,
	"runtime-opaque": 0,
	"storage-opaque": 0,
	"sourced-data": 0,
}

hardware := 2 if {
	some aspects in described
	every name, condition in aspects.hardware {
		condition.holds
	}
}

configuration := 2 if {
	some aspects in described
	every name, condition in aspects.configuration {
		condition.holds
	}
}

# Of the TEE that is there: each condition, its claim, what it expects, and whether it holds. These are
# literal objects, so that a condition cannot be missing: were one undefined, all would be.
described.sgx := {
	"hardware": {
		"sgx.tcb_status": equal(["sgx", "tcb_status"], "UpToDate"),
		"sgx.collateral": equal(["sgx", "collateral_expiration_status"], "0"),
	},
	"configuration": {"sgx.debug": {
		"claim": ["sgx", "body", "attributes.flags"],
		"expected": "DEBUG, bit 1, clear",
		"holds": sgx_without_debug,
	}},
} if {
	input.sgx
}

described.tdx := intel("tdx") if input.tdx

described["az-tdx-vtpm"] := intel("az-tdx-vtpm") if input["az-tdx-vtpm"]

described.snp := {
	"hardware": {
		"snp.bootloader": among(["snp", "reported_tcb_bootloader"], "snp_bootloader"),
		"snp.microcode": among(["snp", "reported_tcb_microcode"], "snp_microcode"),
		"snp.snp_svn": among(["snp", "reported_tcb_snp"], "snp_snp_svn"),
		"snp.tee_svn": among(["snp", "reported_tcb_tee"], "snp_tee_svn"),
	},
	"configuration": {
		"snp.debug": equal(["snp", "policy_debug_allowed"], false),
		"snp.migration_agent": equal(["snp", "policy_migrate_ma"], false),
	},
} if {
	input.snp
}

# The claims of Azure's vTPM are strings.
described["az-snp-vtpm"] := {
	"hardware": {
		"az-snp.bootloader": among(["az-snp-vtpm", "reported_tcb_bootloader"], "tcb_bootloader"),
		"az-snp.microcode": among(["az-snp-vtpm", "reported_tcb_microcode"], "tcb_microcode"),
		"az-snp.snp_svn": among(["az-snp-vtpm", "reported_tcb_snp"], "tcb_snp"),
		"az-snp.tee_svn": among(["az-snp-vtpm", "reported_tcb_tee"], "tcb_tee"),
	},
	"configuration": {
		"az-snp.debug": equal(["az-snp-vtpm", "policy_debug_allowed"], "false"),
		"az-snp.migration_agent": equal(["az-snp-vtpm", "policy_migrate_ma"], "false"),
	},
} if {
	input["az-snp-vtpm"]
}

intel(tee) := {
	"hardware": {
		sprintf("%s.tee_type", [tee]): equal([tee, "quote", "header", "tee_type"], "81000000"),
		sprintf("%s.vendor_id", [tee]): equal(
			[tee, "quote", "header", "vendor_id"],
			"939a7233f79c4ca9940a0db3957f0607",
		),
		sprintf("%s.tcb_status", [tee]): equal([tee, "tcb_status"], "UpToDate"),
		sprintf("%s.collateral", [tee]): equal([tee, "collateral_expiration_status"], "0"),
	},
	"configuration": {sprintf("%s.debug", [tee]): equal([tee, "td_attributes", "debug"], false)},
}

equal(path, value) := {"claim": path, "expected": value, "holds": true} if {
	object.get(input, path, null) == value
} else := {"claim": path, "expected": value, "holds": false}

# AMD says of no version of its firmware whether it is up to date: the owner does.
among(path, name) := {"claim": path, "expected": sprintf("in reference value %s", [name]), "holds": true} if {
	came := object.get(input, path, null)
	came != null
	came in query_reference_value(name)
} else := {"claim": path, "expected": sprintf("in reference value %s", [name]), "holds": false}

default sgx_without_debug := false

sgx_without_debug if {
	is_string(input.sgx.body["attributes.flags"])
	substring(input.sgx.body["attributes.flags"], 1, 1) in {"0", "1", "4", "5", "8", "9", "c", "d"}
}

explanation contains {
	"rule": "executables",
	"claim": "executables",
	"expected": "known code",
	"came": "not looked at by this policy",
	"verdict": "fail",
}

explanation contains {
	"rule": name,
	"claim": concat(".", condition.claim),
	"expected": condition.expected,
	"came": object.get(input, condition.claim, null),
	"verdict": {true: "pass", false: "fail"}[condition.holds],
} if {
	some aspects in described
	some conditions in aspects
	some name, condition in conditions
}

explanation contains {
	"rule": "tee",
	"claim": "tee",
	"expected": "one of az-snp-vtpm, az-tdx-vtpm, sgx, snp, tdx",
	"came": concat(", ", sort(object.keys(input) - {"report_data", "init_data", "init_data_claims", "runtime_data_claims"})),
	"verdict": "fail",
} if {
	count(object.keys(described)) == 0
}
