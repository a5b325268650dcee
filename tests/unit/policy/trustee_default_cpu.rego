# What Trustee's published default policy for CPUs decides, written down anew from the table of its inputs
# and reference values: which trust vector each TEE gets. Not its text.
package policy

import rego.v1

default executables := 33

default hardware := 97

default configuration := 36

trust_claims := {
	"executables": executables,
	"hardware": hardware,
	"configuration": configuration,
	"file-system": 0,
	"instance-identity": 0,
	"runtime-opaque": 0,
	"storage-opaque": 0,
	"sourced-data": 0,
}

listed(value, name) if value in query_reference_value(name)

equals(value, name) if value == query_reference_value(name)

# sample

executables := 3 if listed(input.sample.launch_digest, "launch_digest")

hardware := 2 if {
	listed(input.sample.svn, "svn")
	equals(input.sample.platform_version.major, "major_version")
	input.sample.platform_version.minor >= query_reference_value("minimum_minor_version")
}

configuration := 2 if input.sample.debug == false

# snp

executables := 3 if listed(input.snp.measurement, "snp_launch_measurement")

hardware := 2 if {
	listed(input.snp.reported_tcb_bootloader, "snp_bootloader")
	listed(input.snp.reported_tcb_microcode, "snp_microcode")
	listed(input.snp.reported_tcb_snp, "snp_snp_svn")
	listed(input.snp.reported_tcb_tee, "snp_tee_svn")
}

snp_guarded if {
	input.snp.policy_debug_allowed == false
	input.snp.policy_migrate_ma == false
}

configuration := 2 if {
	snp_guarded
	equals(input.snp.platform_smt_enabled, "snp_smt_enabled")
	equals(input.snp.platform_tsme_enabled, "snp_tsme_enabled")
	equals(input.snp.policy_abi_major, "snp_guest_abi_major")
	equals(input.snp.policy_abi_minor, "snp_guest_abi_minor")
	equals(input.snp.policy_single_socket, "snp_single_socket")
	equals(input.snp.policy_smt_allowed, "snp_smt_allowed")
} else := 3 if snp_guarded

# tdx

tdx_registers if {
	listed(input.tdx.quote.body.rtmr_1, "rtmr_1")
	listed(input.tdx.quote.body.rtmr_2, "rtmr_2")
}

tdx_logged(type_name, name) if {
	some event in input.tdx.uefi_event_logs
	event.type_name == type_name
	tdx_named(event.details)
	some item in event.digests
	equals(item.digest, name)
}

tdx_named(details) if "File(kernel)" in details.device_paths

tdx_named(details) if details.string == "LOADED_IMAGE::LoadOptions"

executables := 3 if {
	tdx_registers
	tdx_logged("EV_EFI_BOOT_SERVICES_APPLICATION", "tdvfkernel")
	tdx_logged("EV_EVENT_TAG", "tdvfkernelparams")
} else := 4 if tdx_registers

intel(tee) if {
	tee.quote.header.tee_type == "81000000"
	tee.quote.header.vendor_id == "939a7233f79c4ca9940a0db3957f0607"
	listed(tee.quote.body.mr_td, "mr_td")
	tee.tcb_status == "UpToDate"
}

hardware := 2 if {
	intel(input.tdx)
	input.tdx.collateral_expiration_status == "0"
}

configuration := 2 if {
	input.tdx.td_attributes.debug == false
	listed(input.tdx.quote.body.xfam, "xfam")
}

# az-snp-vtpm

executables := 3 if {
	listed(input["az-snp-vtpm"].measurement, "measurement")
	listed(input["az-snp-vtpm"].tpm.pcr11, "snp_pcr11")
}

hardware := 2 if {
	listed(input["az-snp-vtpm"].reported_tcb_bootloader, "tcb_bootloader")
	listed(input["az-snp-vtpm"].reported_tcb_microcode, "tcb_microcode")
	listed(input["az-snp-vtpm"].reported_tcb_snp, "tcb_snp")
	listed(input["az-snp-vtpm"].reported_tcb_tee, "tcb_tee")
}

configuration := 2 if {
	listed(input["az-snp-vtpm"].platform_smt_enabled, "smt_enabled")
	listed(input["az-snp-vtpm"].platform_tsme_enabled, "tsme_enabled")
	listed(input["az-snp-vtpm"].policy_abi_major, "abi_major")
	listed(input["az-snp-vtpm"].policy_abi_minor, "abi_minor")
	listed(input["az-snp-vtpm"].policy_single_socket, "single_socket")
	listed(input["az-snp-vtpm"].policy_smt_allowed, "smt_allowed")
}

# az-tdx-vtpm

executables := 3 if listed(input["az-tdx-vtpm"].tpm.pcr11, "tdx_pcr11")

hardware := 2 if intel(input["az-tdx-vtpm"])

configuration := 2 if listed(input["az-tdx-vtpm"].quote.body.xfam, "xfam")

# tpm

executables := 3 if {
	listed(input.tpm.pcr11, "tpm_pcr11")
	listed(input.tpm.ak_public, "trusted_aks")
}

hardware := 2 if input.tpm

configuration := 0 if input.tpm

# se

executables := 3 if input.se

hardware := 2 if input.se

configuration := 2 if input.se

extensions := [{"name": "ear.trustee.identifiers", "key": -18, "value": {"validated": {}}}]
