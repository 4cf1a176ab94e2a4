"""celaje image build, celaje image import."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from controlplane.cli.application import Failure, Home, application, errors, load_settings, status_of
from controlplane.cli.owner import in_database
from controlplane.engines.blobs.files import FileBlobs
from controlplane.services.ec2 import image_store
from controlplane.services.ec2.image_store import ImageFiles
from controlplane.settings import Settings, child_environment
from controlplane.supervise import ground

image = typer.Typer(help="Images (AMIs) of this cloud.", no_args_is_help=True)
application.add_typer(image, name="image")

KINDS = ("tiny", "debian")

_IS_THERE = "SELECT id FROM ec2_images WHERE account_id = $1 AND name = $2 AND state = 'available'"
_CHUNK = 1 << 20
_GIB = 1 << 30
_SECTOR = 512
_FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc")


@image.command()
def build(
    kinds: Annotated[list[str], typer.Argument(help=f"Which: {', '.join(KINDS)}.")],
    missing: Annotated[bool, typer.Option("--missing", help="Only those that are not there yet.")] = False,
    home: Home = None,
) -> None:
    """Build images from Debian's packages and register them as public AMIs."""
    settings = load_settings(home=home)
    for kind in kinds:
        if kind not in KINDS:
            raise Failure(f"no builder for {kind!r}; there are {' and '.join(KINDS)}.")
        known = built(settings, kind) if missing else None
        print(f"{kind}: {known or _build(settings, kind)}")


@image.command("import")
def import_image(
    source: Annotated[str, typer.Argument(metavar="FILE_OR_URL", help="A cloud image, qcow2 or raw.")],
    name: Annotated[str | None, typer.Option(help="Name of the AMI; the file's name when left out.")] = None,
    login: Annotated[str, typer.Option(help="User that its key logs in as, for the record.")] = "",
    firmware: Annotated[str, typer.Option(help="bios or uefi.")] = "bios",
    home: Home = None,
) -> None:
    """Register a disk image of somebody else's as a public AMI."""
    settings = load_settings(home=home)
    _must_run(settings)
    if firmware not in ("bios", "uefi"):
        raise Failure("--firmware is bios or uefi.")
    with _workshop(settings) as folder:
        workshop = Path(folder)
        file = _download(source, workshop / "download") if "://" in source else Path(source)
        size = check_disk(file)
        disk = workshop / "disk.qcow2"
        errors.print("converting …")
        _qemu_img("convert", "-O", "qcow2", str(file), str(disk))
        stem = source.rstrip("/").rpartition("/")[2].split(".")[0]
        files = ImageFiles(name or stem, disk, math.ceil(size / _GIB), firmware=firmware, login=login)
        print(_register(settings, workshop, files))


def built(settings: Settings, kind: str) -> str | None:
    """The id of the AMI that a builder has made in this cloud; None when there is none."""
    manifest = settings.home / "images" / f"{kind}.json"
    if not manifest.exists():
        return None
    name = json.loads(manifest.read_text())["name"]
    _must_run(settings)
    found = in_database(settings, lambda db, _: db.fetchval(_IS_THERE, image_store.CLOUD_ACCOUNT, name))
    return str(found) if found is not None else None


def _build(settings: Settings, kind: str) -> str:
    _must_run(settings)
    with _workshop(settings) as folder:
        workshop = Path(folder)
        command = [sys.executable, "-m", "agents.images.build", kind, str(workshop)]
        if subprocess.run(command, env=child_environment(), cwd="/", check=False).returncode:
            raise Failure(f"the image {kind} could not be built.")
        manifest = json.loads((workshop / "manifest.json").read_text())
        id = _register(settings, workshop, _from_manifest(manifest, workshop))
        (settings.home / "images" / f"{kind}.json").write_text(json.dumps(manifest))
    return id


def _from_manifest(manifest: dict[str, Any], folder: Path) -> ImageFiles:
    return ImageFiles(
        name=manifest["name"],
        description=manifest["description"],
        disk=folder / manifest["disk"],
        kernel=folder / manifest["kernel"] if manifest["kernel"] else None,
        initrd=folder / manifest["initrd"] if manifest["initrd"] else None,
        command_line=manifest["command_line"],
        root_device=manifest["root_device"],
        size_gib=manifest["min_disk_gib"],
        login=manifest["login_user"],
    )


def _register(settings: Settings, workshop: Path, files: ImageFiles) -> str:
    """Done by a child that is the unprivileged user: root writes nothing into folders of that user's."""
    workshop.chmod(0o755)
    for path in workshop.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)

    async def register(db: Any, _: Any) -> str:
        return await image_store.register(db, FileBlobs(settings.blobs), files)

    return ground.as_owner(settings, lambda: in_database(settings, register))


def _workshop(settings: Settings) -> tempfile.TemporaryDirectory[str]:
    images = settings.home / "images"
    images.mkdir(exist_ok=True)
    images.chmod(0o755)
    return tempfile.TemporaryDirectory(prefix=".building-", dir=images)


def _must_run(settings: Settings) -> None:
    if status_of(settings) is None:
        raise Failure(f"no cloud runs in {settings.home}. Start it with `celaje up`.")


def _download(url: str, target: Path) -> Path:
    if not url.startswith(("https://", "http://")):
        raise Failure(f"{url}: only http and https can be fetched.")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    try:
        with (
            urllib.request.urlopen(url, timeout=30) as response,  # noqa: S310
            target.open("wb") as file,
            Progress(*columns, console=errors) as progress,
        ):
            size = response.headers.get("content-length")
            task = progress.add_task("downloading", total=int(size) if size else None)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                progress.advance(task, len(chunk))
    except (urllib.error.URLError, TimeoutError) as error:
        raise Failure(f"cannot fetch {url}: {error}.") from error
    return target


def check_disk(file: Path) -> int:
    """Bytes of the disk within. An image that refers to other files could make us read them into the AMI: refused."""
    if not file.is_file():
        raise Failure(f"{file} is no file.")
    facts = json.loads(_qemu_img("info", "--output=json", str(file)))
    if facts["format"] not in _FORMATS:
        raise Failure(f"{file} is {facts['format']}, not one of {', '.join(_FORMATS)}.")
    inner = facts.get("format-specific", {}).get("data", {})
    if "backing-filename" in facts or "data-file" in inner or len(inner.get("extents", ())) > 1:
        raise Failure(f"{file} refers to other files; flatten it first with `qemu-img convert`.")
    if facts["virtual-size"] < _SECTOR:
        raise Failure(f"{file} is empty.")
    return int(facts["virtual-size"])


def _qemu_img(*arguments: str) -> str:
    if shutil.which("qemu-img") is None:
        raise Failure("qemu-img is missing: install the package qemu-utils.")
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(done.stderr.strip() or f"qemu-img {arguments[0]} failed")
    return done.stdout
