"""celaje new-service: the folder of a service, ready for its first operation."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.application import Failure, application, output

ROOT = Path(__file__).parents[2]

_SERVICE_TOML = """\
model = "{model}"
scope = "{scope}"
engines = []
calls = []
level = "bronze"
"""

_README = """\
# {title}

## What works

Nothing yet. Every operation of `{model}` answers 501 until it is declared in `operations.py`.

## What differs from AWS

## Which engine does the work
"""

_TEST = '''\
"""{title} through boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account


def test_an_operation_that_is_not_built_says_so(account: Account) -> None:
    client = account.client("{model}")
    model = client.meta.service_model
    shapes = {{name: model.operation_model(name).input_shape for name in model.operation_names}}
    operation = next(name for name, shape in shapes.items() if shape is None or not shape.required_members)
    with pytest.raises(ClientError) as refused:
        client._make_api_call(operation, {{}})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
'''

_MODULES = {
    "__init__.py": "",
    "operations.py": '"""The operations of {title}."""\n\nfrom __future__ import annotations\n',
    "errors.py": '"""The error codes that {title} answers with."""\n\nfrom __future__ import annotations\n',
    "models.py": '"""The tables of {title}, all called `{name}_…`."""\n\nfrom __future__ import annotations\n',
    "queries.py": '"""The SQL of {title}."""\n\nfrom __future__ import annotations\n',
}


@application.command("new-service")
def new_service(
    name: Annotated[str, typer.Argument(help="Name of the folder, such as sqs.")],
    model: Annotated[str | None, typer.Option(help="Name of botocore's model, where it differs.")] = None,
    everywhere: Annotated[bool, typer.Option("--global", help="The service has no regions (as IAM).")] = False,
) -> None:
    """Scaffold a service: its folder, its README and its first test. No existing file is touched."""
    if not name.isidentifier() or keyword.iskeyword(name) or name != name.lower():
        raise Failure(f"{name!r} cannot be a folder's name: lower case letters, digits and underscores only.")
    from botocore.session import get_session  # here, because it takes longer to load than most commands to run

    model = model or name
    known = get_session().get_available_services()
    if model not in known:
        near = [candidate for candidate in known if name in candidate]
        raise Failure(f"botocore has no model {model!r}{'; try --model ' + near[0] if near else ''}.")
    folder, tests = ROOT / "controlplane/services" / name, ROOT / "tests/services" / name
    if folder.exists():
        raise Failure(f"{folder} is there already.")
    title = str(get_session().get_service_model(model).metadata["serviceId"])
    words = {"name": name, "model": model, "title": title, "scope": "global" if everywhere else "regional"}
    files = {folder / file: text for file, text in _MODULES.items()}
    files |= {folder / "service.toml": _SERVICE_TOML, folder / "README.md": _README}
    files |= {tests / "__init__.py": "", tests / f"test_{name}.py": _TEST}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**words))
        output.print(f"wrote {path.relative_to(ROOT)}")
