# Genuine, up to date, configured as expected, and running the expected code.
#
# Each TEE has a set of the conditions that hold, by name. The value of a trust claim follows from which
# of them do; where no value follows, the default stands. A claim that is not there, or a reference
# value that is missing or expired, is a condition that does not hold. `described` says of each
# condition which claim it is about and what it expects; it is for the explanation alone.
package policy

import rego.v1

# Of code and of hardware: not recognised. Of configuration: not available [AR4SI 2.3.4].
default executables := 33

default hardware := 97

default configuration := 36

trust_claims := {
	"instance-identity": 0,
	"configuration": configuration,
	"executables": executables,
	"file-system": 0,
	"hardware": hardware,
	"runtime-opaque": 0,
	"storage-opaque": 0,
	"sourced-data": 0,
}

##### SGX: the enclave itself, or its signer's product from a version on

sgx_holds contains "sgx.mr_enclave" if input.sgx.body.mr_enclave in query_reference_value("sgx_mr_enclave")

sgx_holds contains "sgx.mr_signer" if input.sgx.body.mr_signer in query_reference_value("sgx_mr_signer")

sgx_holds contains "sgx.isv_prod_id" if number(input.sgx.body.isv_prod_id) in query_reference_value("sgx_isv_prod_id")

sgx_holds contains "sgx.isv_svn" if {
	isv_svn := number(input.sgx.body.isv_svn)
	minimum := query_reference_value("sgx_minimum_isv_svn")
	is_number(minimum)
	isv_svn >= minimum
}

sgx_holds contains "sgx.tcb_status" if input.sgx.tcb_status == "UpToDate"

sgx_holds contains "sgx.collateral" if input.sgx.collateral_expiration_status == "0"

# Bit 1 of the first byte is DEBUG: the second hex digit has it.
sgx_holds contains "sgx.debug" if {
	is_string(input.sgx.body["attributes.flags"])
	substring(input.sgx.body["attributes.flags"], 1, 1) in {"0", "1", "4", "5", "8", "9", "c", "d"}
}

executables := 3 if {
	input.sgx
	sgx_code
}

hardware := 2 if {
	input.sgx
	object.subset(sgx_holds, {"sgx.tcb_status", "sgx.collateral"})
}

configuration := 2 if {
	input.sgx
	sgx_holds["sgx.debug"]
}

sgx_code if sgx_holds["sgx.mr_enclave"]

sgx_code if object.subset(sgx_holds, {"sgx.mr_signer", "sgx.isv_prod_id", "sgx.isv_svn"})

# Two bytes in hex, little-endian.
number(hex) := sum([digits[0] * 16, digits[1], digits[2] * 4096, digits[3] * 256]) if {
	is_string(hex)
	digits := [indexof("0123456789abcdef", digit) | some digit in split(hex, "")]
	count(digits) == 4
	min(digits) >= 0
}

described.sgx.executables := {
	"sgx.mr_enclave": {"claim": ["sgx", "body", "mr_enclave"], "in": "sgx_mr_enclave"},
	"sgx.mr_signer": {"claim": ["sgx", "body", "mr_signer"], "in": "sgx_mr_signer"},
	"sgx.isv_prod_id": {"claim": ["sgx", "body", "isv_prod_id"], "in": "sgx_isv_prod_id"},
	"sgx.isv_svn": {"claim": ["sgx", "body", "isv_svn"], "at least": "sgx_minimum_isv_svn"},
}

described.sgx.hardware := {
	"sgx.tcb_status": {"claim": ["sgx", "tcb_status"], "is": "UpToDate"},
	"sgx.collateral": {"claim": ["sgx", "collateral_expiration_status"], "is": "0"},
}

described.sgx.configuration := {"sgx.debug": {"claim": ["sgx", "body", "attributes.flags"], "is": "DEBUG, bit 1, clear"}}

holds := sgx_holds if input.sgx

##### TDX

tdx_holds contains "tdx.rtmr_1" if input.tdx.quote.body.rtmr_1 in query_reference_value("rtmr_1")

tdx_holds contains "tdx.rtmr_2" if input.tdx.quote.body.rtmr_2 in query_reference_value("rtmr_2")

tdx_holds contains "tdx.kernel" if {
	some event in input.tdx.uefi_event_logs
	event.type_name == "EV_EFI_BOOT_SERVICES_APPLICATION"
	"File(kernel)" in event.details.device_paths
	some item in event.digests
	item.digest == query_reference_value("tdvfkernel")
}

tdx_holds contains "tdx.kernel_parameters" if {
	some event in input.tdx.uefi_event_logs
	event.type_name == "EV_EVENT_TAG"
	event.details.string == "LOADED_IMAGE::LoadOptions"
	some item in event.digests
	item.digest == query_reference_value("tdvfkernelparams")
}

tdx_holds contains "tdx.tee_type" if input.tdx.quote.header.tee_type == "81000000"

tdx_holds contains "tdx.vendor_id" if input.tdx.quote.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"

tdx_holds contains "tdx.mr_td" if input.tdx.quote.body.mr_td in query_reference_value("mr_td")

tdx_holds contains "tdx.tcb_status" if input.tdx.tcb_status == "UpToDate"

tdx_holds contains "tdx.collateral" if input.tdx.collateral_expiration_status == "0"

tdx_holds contains "tdx.debug" if input.tdx.td_attributes.debug == false

tdx_holds contains "tdx.xfam" if input.tdx.quote.body.xfam in query_reference_value("xfam")

executables := 3 if {
	input.tdx
	object.subset(tdx_holds, {"tdx.rtmr_1", "tdx.rtmr_2", "tdx.kernel", "tdx.kernel_parameters"})
} else := 4 if {
	# A boot loader such as GRUB measures kernel and command line into the registers only.
	input.tdx
	object.subset(tdx_holds, {"tdx.rtmr_1", "tdx.rtmr_2"})
}

hardware := 2 if {
	input.tdx
	object.subset(tdx_holds, {"tdx.tee_type", "tdx.vendor_id", "tdx.mr_td", "tdx.tcb_status", "tdx.collateral"})
}

configuration := 2 if {
	input.tdx
	object.subset(tdx_holds, {"tdx.debug", "tdx.xfam"})
}

described.tdx.executables := {
	"tdx.rtmr_1": {"claim": ["tdx", "quote", "body", "rtmr_1"], "in": "rtmr_1"},
	"tdx.rtmr_2": {"claim": ["tdx", "quote", "body", "rtmr_2"], "in": "rtmr_2"},
	"tdx.kernel": {
		"claim": ["tdx", "uefi_event_logs"],
		"came": logged("EV_EFI_BOOT_SERVICES_APPLICATION"),
		"has": "tdvfkernel",
	},
	"tdx.kernel_parameters": {
		"claim": ["tdx", "uefi_event_logs"],
		"came": logged("EV_EVENT_TAG"),
		"has": "tdvfkernelparams",
	},
}

described.tdx.hardware := {
	"tdx.tee_type": {"claim": ["tdx", "quote", "header", "tee_type"], "is": "81000000"},
	"tdx.vendor_id": {"claim": ["tdx", "quote", "header", "vendor_id"], "is": "939a7233f79c4ca9940a0db3957f0607"},
	"tdx.mr_td": {"claim": ["tdx", "quote", "body", "mr_td"], "in": "mr_td"},
	"tdx.tcb_status": {"claim": ["tdx", "tcb_status"], "is": "UpToDate"},
	"tdx.collateral": {"claim": ["tdx", "collateral_expiration_status"], "is": "0"},
}

described.tdx.configuration := {
	"tdx.debug": {"claim": ["tdx", "td_attributes", "debug"], "is": false},
	"tdx.xfam": {"claim": ["tdx", "quote", "body", "xfam"], "in": "xfam"},
}

logged(type_name) := [item.digest |
	some event in input.tdx.uefi_event_logs
	event.type_name == type_name
	some item in event.digests
]

holds := tdx_holds if input.tdx

##### SEV-SNP

snp_holds contains "snp.measurement" if input.snp.measurement in query_reference_value("snp_launch_measurement")

snp_holds contains "snp.bootloader" if input.snp.reported_tcb_bootloader in query_reference_value("snp_bootloader")

snp_holds contains "snp.microcode" if input.snp.reported_tcb_microcode in query_reference_value("snp_microcode")

snp_holds contains "snp.snp_svn" if input.snp.reported_tcb_snp in query_reference_value("snp_snp_svn")

snp_holds contains "snp.tee_svn" if input.snp.reported_tcb_tee in query_reference_value("snp_tee_svn")

snp_holds contains "snp.debug" if input.snp.policy_debug_allowed == false

snp_holds contains "snp.migration_agent" if input.snp.policy_migrate_ma == false

snp_holds contains "snp.smt_enabled" if input.snp.platform_smt_enabled == query_reference_value("snp_smt_enabled")

snp_holds contains "snp.tsme_enabled" if input.snp.platform_tsme_enabled == query_reference_value("snp_tsme_enabled")

snp_holds contains "snp.abi_major" if input.snp.policy_abi_major == query_reference_value("snp_guest_abi_major")

snp_holds contains "snp.abi_minor" if input.snp.policy_abi_minor == query_reference_value("snp_guest_abi_minor")

snp_holds contains "snp.single_socket" if input.snp.policy_single_socket == query_reference_value("snp_single_socket")

snp_holds contains "snp.smt_allowed" if input.snp.policy_smt_allowed == query_reference_value("snp_smt_allowed")

executables := 3 if {
	input.snp
	snp_holds["snp.measurement"]
}

hardware := 2 if {
	input.snp
	object.subset(snp_holds, {"snp.bootloader", "snp.microcode", "snp.snp_svn", "snp.tee_svn"})
}

configuration := 2 if {
	input.snp
	object.subset(snp_holds, {
		"snp.debug", "snp.migration_agent", "snp.smt_enabled", "snp.tsme_enabled",
		"snp.abi_major", "snp.abi_minor", "snp.single_socket", "snp.smt_allowed",
	})
} else := 3 if {
	# Nothing that is known to be bad, and not all that is expected.
	input.snp
	object.subset(snp_holds, {"snp.debug", "snp.migration_agent"})
}

described.snp.executables := {"snp.measurement": {"claim": ["snp", "measurement"], "in": "snp_launch_measurement"}}

described.snp.hardware := {
	"snp.bootloader": {"claim": ["snp", "reported_tcb_bootloader"], "in": "snp_bootloader"},
	"snp.microcode": {"claim": ["snp", "reported_tcb_microcode"], "in": "snp_microcode"},
	"snp.snp_svn": {"claim": ["snp", "reported_tcb_snp"], "in": "snp_snp_svn"},
	"snp.tee_svn": {"claim": ["snp", "reported_tcb_tee"], "in": "snp_tee_svn"},
}

described.snp.configuration := {
	"snp.debug": {"claim": ["snp", "policy_debug_allowed"], "is": false},
	"snp.migration_agent": {"claim": ["snp", "policy_migrate_ma"], "is": false},
	"snp.smt_enabled": {"claim": ["snp", "platform_smt_enabled"], "equal to": "snp_smt_enabled"},
	"snp.tsme_enabled": {"claim": ["snp", "platform_tsme_enabled"], "equal to": "snp_tsme_enabled"},
	"snp.abi_major": {"claim": ["snp", "policy_abi_major"], "equal to": "snp_guest_abi_major"},
	"snp.abi_minor": {"claim": ["snp", "policy_abi_minor"], "equal to": "snp_guest_abi_minor"},
	"snp.single_socket": {"claim": ["snp", "policy_single_socket"], "equal to": "snp_single_socket"},
	"snp.smt_allowed": {"claim": ["snp", "policy_smt_allowed"], "equal to": "snp_smt_allowed"},
}

holds := snp_holds if input.snp

##### SEV-SNP behind Azure's vTPM. Its claims are strings.

az_snp_holds contains "az-snp.measurement" if input["az-snp-vtpm"].measurement in query_reference_value("measurement")

az_snp_holds contains "az-snp.pcr11" if input["az-snp-vtpm"].tpm.pcr11 in query_reference_value("snp_pcr11")

az_snp_holds contains "az-snp.bootloader" if input["az-snp-vtpm"].reported_tcb_bootloader in query_reference_value("tcb_bootloader")

az_snp_holds contains "az-snp.microcode" if input["az-snp-vtpm"].reported_tcb_microcode in query_reference_value("tcb_microcode")

az_snp_holds contains "az-snp.snp_svn" if input["az-snp-vtpm"].reported_tcb_snp in query_reference_value("tcb_snp")

az_snp_holds contains "az-snp.tee_svn" if input["az-snp-vtpm"].reported_tcb_tee in query_reference_value("tcb_tee")

az_snp_holds contains "az-snp.smt_enabled" if input["az-snp-vtpm"].platform_smt_enabled in query_reference_value("smt_enabled")

az_snp_holds contains "az-snp.tsme_enabled" if input["az-snp-vtpm"].platform_tsme_enabled in query_reference_value("tsme_enabled")

az_snp_holds contains "az-snp.abi_major" if input["az-snp-vtpm"].policy_abi_major in query_reference_value("abi_major")

az_snp_holds contains "az-snp.abi_minor" if input["az-snp-vtpm"].policy_abi_minor in query_reference_value("abi_minor")

az_snp_holds contains "az-snp.single_socket" if input["az-snp-vtpm"].policy_single_socket in query_reference_value("single_socket")

az_snp_holds contains "az-snp.smt_allowed" if input["az-snp-vtpm"].policy_smt_allowed in query_reference_value("smt_allowed")

executables := 3 if {
	input["az-snp-vtpm"]
	object.subset(az_snp_holds, {"az-snp.measurement", "az-snp.pcr11"})
}

hardware := 2 if {
	input["az-snp-vtpm"]
	object.subset(az_snp_holds, {"az-snp.bootloader", "az-snp.microcode", "az-snp.snp_svn", "az-snp.tee_svn"})
}

configuration := 2 if {
	input["az-snp-vtpm"]
	object.subset(az_snp_holds, {
		"az-snp.smt_enabled", "az-snp.tsme_enabled", "az-snp.abi_major",
		"az-snp.abi_minor", "az-snp.single_socket", "az-snp.smt_allowed",
	})
}

described["az-snp-vtpm"].executables := {
	"az-snp.measurement": {"claim": ["az-snp-vtpm", "measurement"], "in": "measurement"},
	"az-snp.pcr11": {"claim": ["az-snp-vtpm", "tpm", "pcr11"], "in": "snp_pcr11"},
}

described["az-snp-vtpm"].hardware := {
	"az-snp.bootloader": {"claim": ["az-snp-vtpm", "reported_tcb_bootloader"], "in": "tcb_bootloader"},
	"az-snp.microcode": {"claim": ["az-snp-vtpm", "reported_tcb_microcode"], "in": "tcb_microcode"},
	"az-snp.snp_svn": {"claim": ["az-snp-vtpm", "reported_tcb_snp"], "in": "tcb_snp"},
	"az-snp.tee_svn": {"claim": ["az-snp-vtpm", "reported_tcb_tee"], "in": "tcb_tee"},
}

described["az-snp-vtpm"].configuration := {
	"az-snp.smt_enabled": {"claim": ["az-snp-vtpm", "platform_smt_enabled"], "in": "smt_enabled"},
	"az-snp.tsme_enabled": {"claim": ["az-snp-vtpm", "platform_tsme_enabled"], "in": "tsme_enabled"},
	"az-snp.abi_major": {"claim": ["az-snp-vtpm", "policy_abi_major"], "in": "abi_major"},
	"az-snp.abi_minor": {"claim": ["az-snp-vtpm", "policy_abi_minor"], "in": "abi_minor"},
	"az-snp.single_socket": {"claim": ["az-snp-vtpm", "policy_single_socket"], "in": "single_socket"},
	"az-snp.smt_allowed": {"claim": ["az-snp-vtpm", "policy_smt_allowed"], "in": "smt_allowed"},
}

holds := az_snp_holds if input["az-snp-vtpm"]

##### TDX behind Azure's vTPM

az_tdx_holds contains "az-tdx.pcr11" if input["az-tdx-vtpm"].tpm.pcr11 in query_reference_value("tdx_pcr11")

az_tdx_holds contains "az-tdx.tee_type" if input["az-tdx-vtpm"].quote.header.tee_type == "81000000"

az_tdx_holds contains "az-tdx.vendor_id" if input["az-tdx-vtpm"].quote.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"

az_tdx_holds contains "az-tdx.mr_td" if input["az-tdx-vtpm"].quote.body.mr_td in query_reference_value("mr_td")

az_tdx_holds contains "az-tdx.tcb_status" if input["az-tdx-vtpm"].tcb_status == "UpToDate"

az_tdx_holds contains "az-tdx.xfam" if input["az-tdx-vtpm"].quote.body.xfam in query_reference_value("xfam")

executables := 3 if {
	input["az-tdx-vtpm"]
	az_tdx_holds["az-tdx.pcr11"]
}

hardware := 2 if {
	input["az-tdx-vtpm"]
	object.subset(az_tdx_holds, {"az-tdx.tee_type", "az-tdx.vendor_id", "az-tdx.mr_td", "az-tdx.tcb_status"})
}

configuration := 2 if {
	input["az-tdx-vtpm"]
	az_tdx_holds["az-tdx.xfam"]
}

described["az-tdx-vtpm"].executables := {"az-tdx.pcr11": {"claim": ["az-tdx-vtpm", "tpm", "pcr11"], "in": "tdx_pcr11"}}

described["az-tdx-vtpm"].hardware := {
	"az-tdx.tee_type": {"claim": ["az-tdx-vtpm", "quote", "header", "tee_type"], "is": "81000000"},
	"az-tdx.vendor_id": {
		"claim": ["az-tdx-vtpm", "quote", "header", "vendor_id"],
		"is": "939a7233f79c4ca9940a0db3957f0607",
	},
	"az-tdx.mr_td": {"claim": ["az-tdx-vtpm", "quote", "body", "mr_td"], "in": "mr_td"},
	"az-tdx.tcb_status": {"claim": ["az-tdx-vtpm", "tcb_status"], "is": "UpToDate"},
}

described["az-tdx-vtpm"].configuration := {"az-tdx.xfam": {
	"claim": ["az-tdx-vtpm", "quote", "body", "xfam"],
	"in": "xfam",
}}

holds := az_tdx_holds if input["az-tdx-vtpm"]

##### TPM. Of its configuration nothing is claimed.

tpm_holds contains "tpm.pcr11" if input.tpm.pcr11 in query_reference_value("tpm_pcr11")

tpm_holds contains "tpm.ak_public" if input.tpm.ak_public in query_reference_value("trusted_aks")

executables := 3 if {
	input.tpm
	object.subset(tpm_holds, {"tpm.pcr11", "tpm.ak_public"})
}

hardware := 2 if input.tpm

configuration := 0 if input.tpm

described.tpm.executables := {
	"tpm.pcr11": {"claim": ["tpm", "pcr11"], "in": "tpm_pcr11"},
	"tpm.ak_public": {"claim": ["tpm", "ak_public"], "in": "trusted_aks"},
}

holds := tpm_holds if input.tpm

##### Secure Execution: its verifier compares all there is with the image, so that being here is enough.

executables := 3 if input.se

hardware := 2 if input.se

configuration := 2 if input.se

##### The sample TEE, which proves nothing

sample_holds contains "sample.launch_digest" if input.sample.launch_digest in query_reference_value("launch_digest")

sample_holds contains "sample.svn" if input.sample.svn in query_reference_value("svn")

sample_holds contains "sample.major" if input.sample.platform_version.major == query_reference_value("major_version")

# In Rego every number is more than null: without the type, a missing reference value would do.
sample_holds contains "sample.minor" if {
	minor := input.sample.platform_version.minor
	minimum := query_reference_value("minimum_minor_version")
	is_number(minimum)
	minor >= minimum
}

sample_holds contains "sample.debug" if input.sample.debug == false

executables := 3 if {
	input.sample
	sample_holds["sample.launch_digest"]
}

hardware := 2 if {
	input.sample
	object.subset(sample_holds, {"sample.svn", "sample.major", "sample.minor"})
}

configuration := 2 if {
	input.sample
	sample_holds["sample.debug"]
}

described.sample.executables := {"sample.launch_digest": {"claim": ["sample", "launch_digest"], "in": "launch_digest"}}

described.sample.hardware := {
	"sample.svn": {"claim": ["sample", "svn"], "in": "svn"},
	"sample.major": {"claim": ["sample", "platform_version", "major"], "equal to": "major_version"},
	"sample.minor": {"claim": ["sample", "platform_version", "minor"], "at least": "minimum_minor_version"},
}

described.sample.configuration := {"sample.debug": {"claim": ["sample", "debug"], "is": false}}

holds := sample_holds if input.sample

##### Why: each condition of this TEE, and whether it holds. CCA, CSV and unknown TEEs have none.

explanation contains {
	"rule": name,
	"claim": concat(".", condition.claim),
	"expected": expected(condition),
	"came": object.get(condition, "came", object.get(input, condition.claim, null)),
	"verdict": verdict(aspect, name),
} if {
	some aspect, conditions in described[tee]
	some name, condition in conditions
}

explanation contains {
	"rule": "tee",
	"claim": "tee",
	"expected": sprintf("one of %s", [concat(", ", sort(object.keys(described) | {"se"}))]),
	"came": concat(", ", sort(object.keys(input) - {"report_data", "init_data", "init_data_claims", "runtime_data_claims"})),
	"verdict": "fail",
} if {
	not described[tee]
	not input.se
}

tee := name if {
	some name in object.keys(described)
	input[name]
}

expected(condition) := condition.is

expected(condition) := sprintf("%s reference value %s", [how, condition[how]]) if {
	some how in ["in", "equal to", "at least", "has"]
	condition[how]
}

verdict(_, name) := "pass" if holds[name]

verdict(aspect, name) := "note" if {
	not holds[name]
	affirmed[aspect]
}

verdict(aspect, name) := "fail" if {
	not holds[name]
	not affirmed[aspect]
}

# Affirmed all the same: by another alternative.
affirmed contains "executables" if executables < 32

affirmed contains "hardware" if hardware < 32

affirmed contains "configuration" if configuration < 32

##### What the token says about the workload, from init-data that is bound to the evidence

extensions := [{"name": "ear.trustee.identifiers", "key": -18, "value": {"validated": identifiers}}] if containers

containers := input.init_data_claims.agent_policy_claims.containers

images := [container.OCI.Annotations["io.kubernetes.cri.image-name"] | some container in containers]

uids := [container.OCI.Process.User.UID | some container in containers]

identifiers[name] := list if {
	some name, list in {"container_images": images, "container_uids": uids}
	count(list) > 0
}
