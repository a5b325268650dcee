"""``openbao+https://host:8200/mount/key?…``: a master key in OpenBao, as one text of the configuration."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from eaa.storage.sealing.master_key import config_error
from eaa.storage.sealing.openbao_http import OpenBaoHttp
from eaa.storage.sealing.openbao_key import OpenBaoMasterKey, openbao_name
from eaa.storage.sealing.openbao_token import AppRole, GivenToken, TokenSource
from eaa.storage.sealing.secret_text import SecretText, from_environment, from_file

__all__ = ["open_openbao_key"]

_OTHERS = frozenset({"ca_file", "namespace"})
#: The ways to get a token; a URI names exactly one.
_WAYS = (
    frozenset({"token_file"}),
    frozenset({"token_env"}),
    frozenset({"role_id", "secret_id_file"}),
    frozenset({"role_id", "secret_id_env"}),
)
_WAYS_TEXT = "token_file, token_env, or role_id and one of secret_id_file and secret_id_env"


def open_openbao_key(uri: str) -> OpenBaoMasterKey:
    """The key ``uri`` names. Only the certificates of ``ca_file`` are read now.

    The last name of the path is the key, those before it are the mount of the transit engine. The query has
    ``token_file``, or ``token_env``, or ``role_id`` and ``secret_id_file`` or ``secret_id_env``, with
    ``approle_mount`` if that is not ``approle``; and may have ``ca_file`` and ``namespace``.

    Raises:
        ConfigError: ``config.master_key``: of another form, or not usable. The query is never shown.
    """
    try:
        url = urlsplit(uri)
        pairs = parse_qsl(
            url.query, keep_blank_values=True, strict_parsing=bool(url.query), max_num_fields=16
        )
    except ValueError:
        raise config_error("the URI of an OpenBao key is not a URI", key="master_key") from None
    options = dict(pairs)
    if len(options) != len(pairs) or not all(options.values()):
        raise config_error("an OpenBao key: an option is given twice or is empty", key="master_key")
    mount, _, key = url.path.removeprefix("/").rpartition("/")
    http = OpenBaoHttp(
        openbao_name(mount, key),
        f"{url.scheme.removeprefix('openbao+')}://{url.netloc}",
        ca_file=Path(options["ca_file"]) if "ca_file" in options else None,
        namespace=options.get("namespace", ""),
    )
    return OpenBaoMasterKey(http, key, _token(options), mount=mount)


def _token(options: dict[str, str]) -> TokenSource:
    given = options.keys() - _OTHERS
    if "role_id" in given:
        given -= {"approle_mount"}
    if given not in _WAYS:
        raise config_error(f"an OpenBao key takes {_WAYS_TEXT}, and nothing else", key="master_key")
    if "role_id" in given:
        secret_id = _secret(options, "secret_id")
        return AppRole(options["role_id"], secret_id, options.get("approle_mount", "approle"))
    return GivenToken(_secret(options, "token"))


def _secret(options: dict[str, str], name: str) -> SecretText:
    if path := options.get(f"{name}_file"):
        return from_file(Path(path))
    return from_environment(options[f"{name}_env"])
