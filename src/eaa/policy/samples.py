"""Claims of every TEE to try policies on: made up, in the form that the verifiers state them in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from eaa.broker.records import ReferenceValue
from eaa.codec.strict_json import parse_json

__all__ = ["SAMPLE_REQUEST", "sample_inputs", "sample_references", "sample_tokens"]

#: The ``data`` document of a request for ``kbs:///default/key/1``.
SAMPLE_REQUEST: Mapping[str, Any] = {
    "plugin": "resource",
    "resource-path": ["default", "key", "1"],
    "query": {},
}


def sample_inputs() -> Mapping[str, dict[str, Any]]:
    """Inputs of attestation policies by TEE; ``default_cpu`` affirms them with :func:`sample_references`."""
    return {
        tee: {
            tee: claims,
            "report_data": "00" * 64,
            "init_data": "00" * 48,
            "init_data_claims": {},
            "runtime_data_claims": {},
        }
        for tee, claims in _document()["claims"].items()
    }


def sample_references(now: datetime) -> Mapping[str, ReferenceValue]:
    """The reference values that go with the inputs, which expire a day after ``now``."""
    return {
        name: ReferenceValue(name, value, now + timedelta(days=1), now, "sample")
        for name, value in _document()["references"].items()
    }


def sample_tokens() -> Mapping[str, dict[str, Any]]:
    """Inputs of resource policies, the claims of tokens, by the status of their one submodule."""
    return {
        status: {
            "eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
            "submods": {
                "cpu0": {
                    "ear.status": status,
                    "ear.trustworthiness-vector": {"hardware": hardware},
                    "ear.appraisal-policy-id": "default",
                    "ear.veraison.annotated-evidence": sample_inputs()["tdx"],
                }
            },
        }
        for status, hardware in (("affirming", 2), ("warning", 33), ("contraindicated", 97))
    }


@cache
def _document() -> dict[str, Any]:
    data = files("eaa.policy").joinpath("templates", "samples.json").read_bytes()
    document: dict[str, Any] = parse_json(data, "samples of claims")
    return document
