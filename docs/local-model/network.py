"""EfficientNet-Lite2 as an ONNX graph: batch norms folded, weights stored as int8, computed in float32.

Architecture: Tan and Le, "EfficientNet" (ICML 2019), in its Lite variant (no squeeze-and-excitation,
ReLU6 for swish; stem and head not scaled).  Outputs: ``logits`` (N, 1000), ``features`` (N, 1280; pooled)
and ``map`` (N, 1280, h, w; before pooling).  Height and width are free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
Weights = dict[str, NDArray[Any]]

_WIDTH, _DEPTH = 1.1, 1.2
# (repeats, kernel, stride, expansion, channels in, channels out) of EfficientNet-B0's stages
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_EPSILON = 1e-3


@dataclass(frozen=True)
class Layer:
    """One folded convolution: weights, biases, and what happens around it."""

    name: str
    weight: Array
    bias: Array
    stride: int = 1
    groups: int = 1
    clip: bool = True
    keep_input: bool = False
    add_kept: bool = False


def _scaled(channels: int) -> int:
    wanted = channels * _WIDTH
    near = max(8, int(wanted + 4) // 8 * 8)
    return int(near + 8 if near < 0.9 * wanted else near)


def _fold(weights: Weights, conv: str, norm: str) -> tuple[Array, Array]:
    gain = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
    kernel = weights[f"{conv}.weight"] * gain[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
    return kernel.astype(np.float32), bias.astype(np.float32)


def _block(weights: Weights, index: int, stride: int, expansion: int, same: bool) -> list[Layer]:
    at = f"_blocks.{index}."
    skip = stride == 1 and same
    layers = []
    if expansion != 1:
        layers.append(Layer(f"b{index}e", *_fold(weights, at + "_expand_conv", at + "_bn0"), keep_input=skip))
    kernel, bias = _fold(weights, at + "_depthwise_conv", at + "_bn1")
    keep = skip and expansion == 1
    layers.append(Layer(f"b{index}d", kernel, bias, stride, kernel.shape[0], keep_input=keep))
    kernel, bias = _fold(weights, at + "_project_conv", at + "_bn2")
    layers.append(Layer(f"b{index}p", kernel, bias, clip=False, add_kept=skip))
    return layers


def make_layers(weights: Weights) -> list[Layer]:
    """The network's convolutions in order."""
    layers = [Layer("stem", *_fold(weights, "_conv_stem", "_bn0"), stride=2)]
    index = 0
    for stage, (repeats, _, stride, expansion, entering, leaving) in enumerate(_STAGES):
        ends = stage in (0, len(_STAGES) - 1)
        source = 32 if stage == 0 else _scaled(entering)
        for turn in range(repeats if ends else math.ceil(_DEPTH * repeats)):
            same = turn > 0 or source == _scaled(leaving)
            layers += _block(weights, index, stride if turn == 0 else 1, expansion, same)
            index += 1
    return [*layers, Layer("head", *_fold(weights, "_conv_head", "_bn1"))]


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def stored(self, name: str, weight: Array) -> str:
        """Weights as int8 with one scale a filter; the graph restores float32."""
        wide = (-1,) + (1,) * (weight.ndim - 1)
        scale = np.maximum(np.abs(weight.reshape(len(weight), -1)).max(1) / 127, 1e-12)
        scale = scale.astype(np.float32).reshape(wide)
        whole = np.clip(np.round(weight / scale), -127, 127).astype(np.int8)
        cast = self.node("Cast", [self.constant(f"{name}_q", whole)], f"{name}_c", to=TensorProto.FLOAT)
        return self.node("Mul", [cast, self.constant(f"{name}_s", scale)], name)

    def convolution(self, layer: Layer, source: str) -> str:
        inputs = [
            source,
            self.stored(f"{layer.name}_w", layer.weight),
            self.constant(f"{layer.name}_b", layer.bias),
        ]
        return self.node(
            "Conv",
            inputs,
            f"{layer.name}_o",
            kernel_shape=list(layer.weight.shape[2:]),
            strides=[layer.stride] * 2,
            group=layer.groups,
            auto_pad="SAME_UPPER",
        )


def make_network(weights: Weights) -> onnx.ModelProto:
    """The whole graph for a checkpoint's tensors."""
    graph = _Graph()
    bounds = [graph.constant("low", np.float32(0)), graph.constant("high", np.float32(6))]
    at, kept = "image", ""
    for layer in make_layers(weights):
        kept = at if layer.keep_input else kept
        at = graph.convolution(layer, at)
        if layer.clip:
            at = graph.node("Clip", [at, *bounds], "map" if layer.name == "head" else at + "r")
        if layer.add_kept:
            at = graph.node("Add", [at, kept], at + "a")
    pooled = graph.node("GlobalAveragePool", [at], "pooled")
    features = graph.node("Flatten", [pooled], "features", axis=1)
    bias = graph.constant("fc_b", weights["_fc.bias"].astype(np.float32))
    weight = graph.stored("fc_w", weights["_fc.weight"].astype(np.float32))
    graph.node("Gemm", [features, weight, bias], "logits", transB=1)
    return _finish(graph)


def _finish(graph: _Graph) -> onnx.ModelProto:
    def value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    outputs = [value("logits", "N", 1000), value("features", "N", 1280), value("map", "N", 1280, "h", "w")]
    made = helper.make_graph(
        graph.nodes, "efficientnet_lite2", [value("image", "N", 3, "H", "W")], outputs, graph.constants
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def mean_features(weights: Weights) -> Array:
    """What the pooled feature is on average, from the head's batch norm alone: (1280,).

    After training a unit is near normal with the norm's shift as mean and its gain as deviation, so its
    mean behind ReLU6 is an integral over that curve; no picture is needed.
    """
    mean = weights["_bn1.bias"].astype(np.float64)
    deviation = np.abs(weights["_bn1.weight"].astype(np.float64)) + 1e-6
    steps = np.linspace(-5, 5, 401)
    density = np.exp(-(steps**2) / 2)
    density /= density.sum()
    clipped = np.clip(mean[:, None] + deviation[:, None] * steps, 0, 6)
    return np.asarray((clipped * density).sum(1), np.float32)
