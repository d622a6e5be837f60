"""A stand-in for Terraform's azurerm provider: the real schema and nothing behind it.

``python terraform_stub.py extract FILE MODULE`` writes azurerm's schema, as Terraform's protocol has it,
from the description in the package ``cdktn-provider-azurerm``: every resource's name, and the arguments
of those that the folder MODULE uses.  ``python terraform_stub.py serve FILE`` is a provider of that
schema, spoken by the package ``tf``, until it is interrupted; it prints the ``TF_REATTACH_PROVIDERS`` by
which Terraform finds it.  That is enough for ``terraform validate`` and, with ``mock_provider``, for
``terraform test``: no ``init``, no network, and one start for all of them.  ``terraform plan`` ends when
it configures the stub, which tells what it was given.

The description was made for another purpose.  It does not tell sets from lists (here all are lists),
which optional arguments Azure fills in (here only ``id``), what is sensitive (here the access keys), nor
which values are allowed.
"""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import sys
import tarfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tf.gen import tfplugin_pb2 as pb

PACKAGE = "@cdktn/provider-azurerm."
SCALARS = {"string": "string", "number": "number", "boolean": "bool"}
NESTING = pb.Schema.NestedBlock.NestingMode
Json = dict[str, Any]


class Description:
    """The package's types, read as Terraform blocks and attributes."""

    def __init__(self, types: Json) -> None:
        self.types = types

    def response(self, used: Collection[str]) -> bytes:
        """The provider, as the reply to Terraform's first question; what is not used stays empty."""
        reply = pb.GetProviderSchema.Response()
        for name, one in self.types.items():
            kind = one.get("base", "").removeprefix("cdktn.Terraform")
            if kind not in ("Resource", "DataSource", "Provider"):
                continue
            config = one["initializer"]["parameters"][2]["type"]["fqn"]
            if kind == "Provider":
                reply.provider.block.CopyFrom(self.block(config, ""))
                # Terraform's own, not azurerm's
                alias = next(one for one in reply.provider.block.attributes if one.name == "alias")
                reply.provider.block.attributes.remove(alias)
                continue
            target = reply.resource_schemas if kind == "Resource" else reply.data_source_schemas
            found = re.search(r" (azurerm_\w+)\}", one["docs"]["summary"])
            assert found, name
            body = self.block(config, name) if found[1] in used else pb.Schema.Block()
            target[found[1]].block.CopyFrom(body)
        return bytes(reply.SerializeToString())

    def block(self, config: str, reference: str) -> pb.Schema.Block:
        """A block: its arguments from one type, what Azure adds to them from the other."""
        block = pb.Schema.Block()
        arguments = self.types.get(config, {}).get("properties", [])
        for one in arguments:
            nested, repeated = self.nested(one["type"])
            if nested:
                block.block_types.append(self.nested_block(one, nested, repeated=repeated))
            else:
                block.attributes.append(
                    self.attribute(one, computed=one["name"] == "id" and "optional" in one)
                )
        given = {one["name"] for one in arguments}
        for one in self.types.get(reference, {}).get("properties", []):
            if not (one.get("static") or one.get("optional") or one["name"] in given):
                block.attributes.append(self.attribute(one, computed=True))
        return block

    def nested(self, kind: Json) -> tuple[str, bool]:
        """The type of a nested block and whether it repeats; an empty name for a plain value."""
        for one in self.alternatives(kind):
            element = one.get("collection", {}).get("elementtype", {})
            for holder, repeated in ((one, False), (element, True)):
                if holder.get("fqn", "").startswith(PACKAGE) and self.is_struct(holder["fqn"]):
                    return holder["fqn"], repeated
        return "", False

    def is_struct(self, name: str) -> bool:
        return bool(self.types[name]["kind"] == "interface")

    def nested_block(self, one: Json, nested: str, *, repeated: bool) -> pb.Schema.NestedBlock:
        name = terraform_name(one)
        return pb.Schema.NestedBlock(
            type_name=name,
            block=self.block(nested, nested + "OutputReference"),
            nesting=NESTING.SINGLE if name == "timeouts" else NESTING.LIST,
            min_items=0 if one.get("optional") else 1,
            max_items=0 if repeated or name == "timeouts" else 1,
        )

    def attribute(self, one: Json, *, computed: bool) -> pb.Schema.Attribute:
        is_argument = bool(one.get("abstract"))
        name = terraform_name(one)
        return pb.Schema.Attribute(
            name=name,
            type=json.dumps(self.value_type(one["type"])).encode(),
            required=is_argument and not one.get("optional"),
            optional=is_argument and bool(one.get("optional")),
            computed=computed,
            sensitive=name.endswith("_access_key"),
        )

    def value_type(self, kind: Json) -> Any:
        """The type of a value, as Terraform writes types in JSON."""
        one: Json = next(self.alternatives(kind), {})
        if "primitive" in one:
            return SCALARS[one["primitive"]]
        if not one:
            return "dynamic"
        if "collection" in one:
            shape = "map" if one["collection"]["kind"] == "map" else "list"
            return [shape, self.value_type(one["collection"]["elementtype"])]
        if one["fqn"] == "cdktn.StringMap":
            return ["map", "string"]
        fields = self.types[self.element(one["fqn"])].get("properties", [])
        wanted = [field for field in fields if not field.get("optional")]
        return [
            "list",
            ["object", {terraform_name(field): self.value_type(field["type"]) for field in wanted}],
        ]

    def element(self, name: str) -> str:
        """What a list of that name is made of; anything else is made of itself."""
        candidates = (name.removesuffix("List") + "OutputReference", name + "OutputReference", name)
        return next(one for one in candidates if one in self.types)

    def alternatives(self, kind: Json) -> Iterator[Json]:
        """The types a value may have, without the one that stands for an expression."""
        for one in kind.get("union", {}).get("types", [kind]):
            if one.get("fqn") != "cdktn.IResolvable":
                yield one


def terraform_name(one: Json) -> str:
    """The name in Terraform: from the link to the documentation, else by the usual rule."""
    docs = one.get("docs", {})
    found = re.search(r"#(\w+) [\w.]+#\w+\}", docs.get("summary", "") + docs.get("remarks", ""))
    return found[1] if found else re.sub("([A-Z])", lambda upper: "_" + upper[1].lower(), one["name"])


def extract(target: Path, module: Path) -> None:
    """Writes the schema's bytes."""
    used = {name for file in module.glob("*.tf") for name in re.findall(r"azurerm_\w+", file.read_text())}
    found = importlib.util.find_spec("cdktn_provider_azurerm")
    assert found and found.origin, "the package cdktn-provider-azurerm is not installed"
    (archive,) = Path(found.origin).parent.glob("_jsii/*.tgz")
    with tarfile.open(archive) as package:
        file = package.extractfile("package/.jsii")
        assert file
        target.write_bytes(Description(json.load(file)["types"]).response(used))


def serve(source: Path) -> None:
    """Answers Terraform until it has no more questions."""
    import msgpack
    import tf.provider
    from tf.runner import run_provider

    class Stub(tf.provider.ProviderServicer):  # type: ignore[misc]
        """Terraform itself checks configurations against the schema; there is nothing to add."""

        def GetProviderSchema(self, request: Any, context: Any) -> Any:
            return pb.GetProviderSchema.Response.FromString(source.read_bytes())

        def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
            return pb.ValidateProviderConfig.Response()

        def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
            return pb.ValidateResourceConfig.Response()

        def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
            return pb.ValidateDataResourceConfig.Response()

        def ConfigureProvider(self, request: Any, context: Any) -> Any:
            """Behind it is nothing: what it was given comes back as the reason, in JSON."""
            given = json.dumps(msgpack.unpackb(request.config.msgpack))
            reason = pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary="configured", detail=given)
            return pb.ConfigureProvider.Response(diagnostics=[reason])

    tf.provider.ProviderServicer = Stub
    # What runs in the background of a script is started without it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        run_provider(SimpleNamespace(full_name=lambda: "hashicorp/azurerm"), ["serve", "--dev"])


if __name__ == "__main__":
    if sys.argv[1] == "extract":
        extract(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        serve(Path(sys.argv[2]))
