"""The one typed configuration. Nothing else reads the environment.

Sources, the first that says something wins: arguments (the command line), `CELAJE_…` environment variables,
`$CELAJE_HOME/settings.toml`, the defaults below. `docs/reference/settings.md` is generated from this file.
"""

from __future__ import annotations

import json
import os
import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from agents.contract.network import API_NAME
from controlplane import reach
from controlplane.folders import Folders, default_home
from controlplane.setting_values import Gateway, file, listening, places

PREFIX = "CELAJE_"
_OF_AWS = ("amazonaws.com", "amazonaws.com.cn", "aws")


class Settings(Folders):
    """Everything that an owner may want to change. Every field says what it does, for the reference page."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    listen: Annotated[str, AfterValidator(listening)] = Field(
        default="127.0.0.1:4566",
        description="Address and port of the endpoint. Listen elsewhere than on loopback only behind TLS: "
        "secrets that AWS's API carries in bodies would pass in clear.",
    )
    dns_listen: Annotated[str, AfterValidator(listening)] = Field(
        default="127.0.0.1:5300",
        description="Address and port on which the hosted zones of Route 53 answer, over UDP and TCP. The server is "
        "started with the first zone.",
    )
    smtp_listen: Annotated[str, AfterValidator(listening)] = Field(
        default="127.0.0.1:2525",
        description="Address and port on which mail from outside is taken, for accounts with receipt rules of SES. The "
        "listener is started with the first active rule set, or at once with `smtp_certificate`.",
    )
    smtp_certificate: Annotated[Path | None, AfterValidator(file)] = Field(
        default=None,
        description="Certificate chain (PEM) of the listener for mail. With it the listener offers STARTTLS, and login "
        "over that: the user is an access key's id, the password SES's SMTP password of its secret.",
    )
    smtp_key: Annotated[Path | None, AfterValidator(file)] = Field(
        default=None, description="The certificate's private key (PEM), where it does not lie in the same file."
    )
    dns_places: Annotated[dict[str, str], AfterValidator(places)] = Field(
        default={},
        description="Where networks are, for geolocation and latency records of Route 53: continent, country and "
        'subdivision, or a region, such as `{"192.168.7.0/24": "EU-DE", "10.4.0.0/16": "NA-US-CA", '
        '"10.5.0.0/16": "ap-south-1"}`. The narrowest network counts.',
    )
    endpoint_hosts: tuple[str, ...] = Field(
        default=("localhost",),
        description="Names under which clients reach this cloud, such as `cloud.example`: `bucket.cloud.example` then "
        "addresses a bucket. A name in `listen` counts as one. List all names that lead to the cloud: no bucket can "
        "then show a website under them.",
    )
    gateway_addresses: tuple[IPv4Address | IPv6Address, ...] = Field(
        default=(),
        description="Addresses at which clients reach the endpoint, or the proxy before it: hosted zones of Route 53 "
        "answer with them for aliases to websites of S3. Unset: the address in `listen`, or, where that is loopback, "
        "the one in `dns_listen`; of a machine that listens on all its addresses the one that it uses towards the rest "
        "of the world.",
    )
    sms_gateway: Gateway | None = Field(
        default=None,
        description="A server that takes SNS's text messages, such as "
        '`{"url": "https://sms.example/send", "headers": {"authorization": "Bearer SECRET"}, '
        '"body": "{\\"to\\": $number, \\"text\\": $text}", "price": 0.05}`. In the body `$number`, `$text`, `$sender`, '
        "`$type` and `$id` stand for JSON strings, or for percent-encoded text where the header `content-type` is "
        "`application/x-www-form-urlencoded`; without `body` all are sent as one JSON object. `price`, in USD, counts "
        "against the accounts' spend limits. Unset: text messages stay in the accounts' outboxes.",
    )
    sms_ceiling: float | None = Field(
        default=None,
        ge=0,
        description="USD that text messages of all accounts and regions together may cost in a month (UTC), by the "
        "price of `sms_gateway`; those beyond it fail. An account's own `MonthlySpendLimit` counts besides.",
    )
    sms_sandbox: bool = Field(
        default=False,
        description="Whether accounts are in SNS's sandbox for text messages: these go only to numbers that the "
        "account has verified, with a code that is sent to the phone.",
    )
    push_gateway: Gateway | None = Field(
        default=None,
        description="A server that takes SNS's messages for mobile devices, set like `sms_gateway`, with `$platform`, "
        "`$application`, `$token`, `$message` and `$id`. It answers 404 or 410 for a device that is no more: its "
        "endpoint is disabled. Unset: these messages stay in the accounts' outboxes.",
    )
    reachable: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="Networks that accounts may let this cloud call although they lead to its own hosts, such as "
        '`["127.0.0.1/32"]`: for HTTP subscriptions of SNS, health checks of Route 53 and OIDC '
        "identity providers of IAM. Without it none of these reaches loopback, link-local addresses or an address of a "
        "host.",
    )
    new_buckets: Literal["private", "open"] = Field(
        default="private",
        description="How new S3 buckets begin: `private` as at AWS since April 2023, without access control lists and "
        "with all public access blocked; `open` as before, with lists, without a block, and with no encryption told "
        "that nobody asked for.",
    )
    owner_names: bool = Field(
        default=False,
        description="Whether S3 tells the names of owners beside their ids, in lists and access control lists, as AWS "
        "did until November 2025.",
    )
    s3_compatibility: Literal["aws", "ceph"] = Field(
        default="aws",
        description="As whom S3 answers where implementations differ: as AWS, or as Ceph's object gateway, for clients "
        "and tests that were written for that. S3's README lists the differences.",
    )
    mail_recipients: Literal["any", "verified"] = Field(
        default="any",
        description="Whom accounts may send mail to: `any` address, or `verified` ones alone, as in SES's sandbox. A "
        "cloud with a relay to the world may want the latter.",
    )
    blob_tiers: dict[str, Path] = Field(
        default={},
        description="Folders, on disks of their own, for objects of a storage class, such as "
        '`{"STANDARD_IA": "/mnt/slow"}`. All others lie in the home folder; archived objects (`GLACIER`, '
        "`DEEP_ARCHIVE`) in its folder `cold`, compressed.",
    )
    blob_cluster: str | None = Field(
        default=None,
        pattern=r"^https?://[^:@/]+:[^@/]+@[^@/]+/[a-z0-9.-]{3,63}$",
        description="A bucket of another S3 for the bytes of objects, by URL: "
        "`https://KEY:SECRET@s3.example:8333/bucket`. See `celaje blobs migrate`.",
    )
    new_blobs: Literal["files", "cluster"] = Field(
        default="files",
        description="Where the bytes of new objects go: to files, or to `blob_cluster`. What lies at the "
        "other place can be read there.",
    )
    storage_day: float = Field(
        default=86400.0,
        ge=1,
        le=86400,
        description="Seconds that a day has for S3 and Glacier: for lifecycles, restores, retrievals and inventories. "
        "Less than 86400 makes tests quick.",
    )
    access_log: bool = Field(
        default=False,
        description="Log a line for every request: who called what, how it ended and how long it took.",
    )
    gateway_workers: int = Field(default=2, ge=1, le=256, description="Gateway processes. About one a core.")
    work_concurrency: int = Field(
        default=32, ge=1, le=1000, description="Reconcilers that one Celery worker process runs at a time."
    )
    user: str = Field(
        default="celaje",
        pattern=r"^[a-z_][a-z0-9_-]{0,30}$",
        description="System user that everything but the agents runs as when Celaje is started by root; "
        "made when it is missing. Started by another user, Celaje runs as that user.",
    )
    database_url: str | None = Field(
        default=None,
        description="Postgres by URL, such as `postgresql://user:secret@db.example:5432/celaje`. "
        "Unset: an embedded Postgres in the home folder.",
    )
    database_connections: int = Field(
        default=16, ge=1, le=500, description="Most connections to Postgres that one process holds."
    )
    broker_url: str | None = Field(
        default=None,
        description="Valkey or Redis by URL, such as `redis://:secret@broker.example:6379/0`. "
        "Unset: an embedded Valkey in the home folder. Nothing that is acknowledged lives there.",
    )
    regions: tuple[str, ...] = Field(
        default=("us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1"),
        min_length=1,
        description="Regions of this cloud; the first one is the default. All of them share its hosts.",
    )
    quota_auto_approve: float = Field(
        default=0.0,
        ge=0,
        description="Increases of quotas up to so many times the default value are granted as soon as they are asked "
        "for; 0: all wait for `celaje quota approve`.",
    )
    agent: bool = Field(
        default=True,
        description="Run the hypervisor agent on this machine. It needs root; without it the API answers but "
        "no machine starts here.",
    )
    containers: bool = Field(
        default=True,
        description="Run the container agent on this machine, where Docker is installed. It needs root. "
        "It uses the host's dockerd where one runs, and one of its own elsewhere.",
    )
    host_name: str = Field(
        default_factory=lambda: socket.gethostname().split(".")[0],
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$",
        description="Name under which this machine joins the cloud as a host. Default: its host name.",
    )
    public_range: IPv4Network = Field(
        default=IPv4Network("198.18.0.0/18"),
        description="Public addresses of instances, reachable from the hosts. Unset: the first part of 198.18.0.0/15 "
        "(by /18) that nothing on this machine used when the cloud was first started.",
    )
    cpu_overcommit: float = Field(
        default=16.0, ge=1, le=100, description="Virtual processors that a host gives away for each one it has."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe lines that our own processes log."
    )
    log_bytes: int = Field(
        default=16 * 1024 * 1024, ge=65536, description="Size at which a log file is rotated; three old ones are kept."
    )
    hang_seconds: float = Field(
        default=15.0, ge=2, description="A process that gives no sign of life for so long is killed and started again."
    )

    @field_validator("database_url", "broker_url")
    @classmethod
    def _scheme(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"(postgres(ql)?|rediss?|unix)://", url):
            raise ValueError("expected postgresql://… or redis://…")
        return url

    @field_validator("blob_tiers")
    @classmethod
    def _one_class_a_folder(cls, tiers: dict[str, Path]) -> dict[str, Path]:
        if len({path.expanduser().absolute() for path in tiers.values()}) < len(tiers):
            raise ValueError("two storage classes cannot share a folder")
        return tiers

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = init_settings().get("home") or os.environ.get(f"{PREFIX}HOME") or default_home()
        written = TomlConfigSettingsSource(settings_cls, toml_file=Path(home) / "settings.toml")
        return init_settings, env_settings, written

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def dns_address(self) -> tuple[str, int]:
        """Host and port on which zones answer."""
        host, _, port = self.dns_listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Host and port on which mail is taken."""
        host, _, port = self.smtp_listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def smtp_wanted(self) -> Path:
        """File whose being there makes the supervisor start the listener for mail."""
        return self.run / "smtp.wanted"

    @property
    def endpoint(self) -> str:
        """The URL that clients on this machine use."""
        host, port = self.address
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{reachable}:{port}"

    @property
    def own_names(self) -> tuple[str, ...]:
        """The host names of this cloud, lower case."""
        host, _ = self.address
        names = [*self.endpoint_hosts, *([] if re.fullmatch(r"[\d.]+|.*:.*", host) else [host])]
        return tuple(dict.fromkeys(name.lower() for name in names))

    @property
    def guarded_names(self) -> tuple[str, ...]:
        """Names that lead to the cloud itself, also by those below them, whatever accounts call their buckets."""
        return tuple(dict.fromkeys((*self.own_names, "localhost", API_NAME, *_OF_AWS)))

    @property
    def machine_names(self) -> tuple[str, ...]:
        """Names of this machine, to which networks add domains of theirs."""
        names = (socket.gethostname(), self.host_name)
        return tuple(dict.fromkeys(name.lower().partition(".")[0] for name in names))

    @property
    def reached_at(self) -> tuple[str, ...]:
        """The addresses at which clients reach the endpoint."""
        if self.gateway_addresses:
            return tuple(str(address) for address in self.gateway_addresses)
        found = reach.addresses(self.address[0])
        if all(reach.is_loopback(address) for address in found):
            others = reach.addresses(self.dns_address[0])
            found = tuple(address for address in others if not reach.is_loopback(address)) or found
        return found

    @property
    def region(self) -> str:
        """The default region."""
        return self.regions[0]

    @property
    def tiers(self) -> dict[str, Path]:
        """Folders of storage classes that have their own."""
        cold = {name: self.cold / name for name in ("GLACIER", "DEEP_ARCHIVE")}
        return {**cold, **self.blob_tiers}

    @property
    def database(self) -> str:
        """libpq URL of the database in use, the owner's or the embedded one."""
        return self.database_url or f"postgresql://celaje@/celaje?host={self.run}"

    @property
    def broker(self) -> str:
        """redis-py URL of the broker in use, the owner's or the embedded one."""
        return self.broker_url or f"unix://{self.run / 'valkey.sock'}"

    def environment(self, *, given_only: bool = False) -> dict[str, str]:
        """The variables that give a child process these very settings, or only those that somebody has set."""
        values = self.model_dump(mode="json", exclude_none=True, exclude_unset=given_only) | {"home": str(self.home)}
        return {PREFIX + name.upper(): _variable(value) for name, value in values.items()}


def _variable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def load(**overrides: Any) -> Settings:
    """Read the settings; overrides that are None count as not given. Raises pydantic.ValidationError."""
    return Settings(**{name: value for name, value in overrides.items() if value is not None})


def notify_socket() -> str | None:
    """Where this process tells its supervisor (ours or systemd) that it is ready and alive; None without one."""
    return os.environ.get("NOTIFY_SOCKET")


def sudo_user() -> str | None:
    """Who called us through sudo."""
    return os.environ.get("SUDO_USER")


def child_environment(**more: str) -> dict[str, str]:
    """What supervised processes inherit of our environment, and the folder that they import us from."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    source = str(Path(__file__).resolve().parent.parent)
    return {"PATH": os.defpath, "PYTHONPATH": source, "PYTHONUNBUFFERED": "1", **inherited, **more}
