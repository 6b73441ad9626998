"""Whole architectures in plain torch; those of transformers are in tests/models."""

import pytest

torch = pytest.importorskip("torch")
from capturing import check_capture, inferred, trained  # noqa: E402 - only where torch is
from support import traces_of  # noqa: E402

import tracegen  # noqa: E402

nn = torch.nn


class Attention(nn.Module):
    def __init__(self, width, context=None):
        super().__init__()
        self.norm = nn.GroupNorm(2, width)
        self.attention = nn.MultiheadAttention(width, 2, kdim=context, vdim=context, batch_first=True)

    def forward(self, values, context=None):
        tokens = self.norm(values).flatten(2).mT
        other = tokens if context is None else context
        return values + self.attention(tokens, other, other, need_weights=False)[0].mT.view_as(values)


class Residual(nn.Module):
    """A block of a diffusion model: the time enters between two convolutions."""

    def __init__(self, width, out, time):
        super().__init__()
        self.norm1 = nn.GroupNorm(2, width)
        self.conv1 = nn.Conv2d(width, out, 3, padding=1)
        self.time = nn.Linear(time, out)
        self.norm2 = nn.GroupNorm(2, out)
        self.dropout = nn.Dropout(0.1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.act = nn.SiLU(inplace=True)
        self.shortcut = nn.Conv2d(width, out, 1) if width != out else nn.Identity()
        self.gate = nn.Parameter(torch.zeros(1))  # as zero-initialised branches have it

    def forward(self, values, time):
        hidden = self.conv1(self.act(self.norm1(values))) + self.time(self.act(time.clone()))[..., None, None]
        hidden = self.conv2(self.dropout(self.act(self.norm2(hidden))))
        return self.shortcut(values) + (self.gate + 1) * hidden


class UNet(nn.Module):
    """Down, through the middle and up again, with skip connections and attention to a text."""

    def __init__(self, width=4, time=8, context=6):
        super().__init__()
        self.frequencies = nn.Buffer(torch.logspace(0, -2, time // 2))
        self.time = nn.Sequential(nn.Linear(time, time), nn.SiLU(), nn.Linear(time, time))
        self.null_text = nn.Parameter(torch.zeros(1, 3, context))
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList([Residual(width, width, time), Residual(width, 2 * width, time)])
        self.smaller = nn.ModuleList([nn.Conv2d(width, width, 3, stride=2, padding=1), nn.Identity()])
        self.middle = nn.ModuleDict(
            {"own": Attention(2 * width), "text": Attention(2 * width, context), "last": Attention(2 * width)}
        )
        self.up = nn.ModuleList([Residual(4 * width, width, time), Residual(2 * width, width, time)])
        self.larger = nn.ModuleList([nn.Upsample(scale_factor=2), nn.Identity()])
        self.last = nn.Sequential(nn.GroupNorm(2, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, image, step, text=None):
        angles = step[:, None] * self.frequencies
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        text = self.null_text.expand(len(image), -1, -1) if text is None else text
        values, skips = self.first(image), []
        for block, smaller in zip(self.down, self.smaller, strict=True):
            values = block(values, time)
            skips.append(values)
            values = smaller(values)
        values = self.middle["text"](self.middle["own"](values), text)
        values = self.middle["last"](values)
        for block, larger in zip(self.up, self.larger, strict=True):
            values = larger(block(torch.cat([values, skips.pop()], 1), time))
        return {"sample": self.last(values)}


def unet():
    torch.manual_seed(0)
    return UNet()


def encoder():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
    return nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8), enable_nested_tensor=False)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def unet_loss(model):
    return (
        (model(noise(2, 3, 8, 8), torch.tensor([3.0, 700.0]))["sample"] - noise(2, 3, 8, 8)).square().mean()
    )


def encoder_loss(model):
    mask = torch.tensor([[False] * 5, [False, False, True, True, True]])
    causal = nn.Transformer.generate_square_subsequent_mask(5).isinf()
    return model(noise(2, 5, 8), mask=causal, src_key_padding_mask=mask).square().mean()


@pytest.mark.parametrize(
    ("make", "loss"), [(unet, unet_loss), (encoder, encoder_loss)], ids=["unet", "encoder"]
)
def test_a_step_of_training(tmp_path, make, loss):
    recorder, traces = check_capture(tmp_path / "mine", make, trained(loss))
    assert {name.partition("/")[0] for name in traces} == {"weights", "activations", "gradients", "errors"}
    assert recorder.notes[-1] == "no kv: no forward pass gave any"
    assert all(note.startswith(("never called", "no kv")) for note in recorder.notes)


def test_a_diffusion_model_in_inference(tmp_path):
    outputs = inferred(lambda model: [model(noise(1, 3, 8, 8), torch.tensor([5.0]))["sample"]])
    _, traces = check_capture(tmp_path / "mine", unet, outputs)
    assert "activations/model.sample" in traces
    assert "activations/down.0.gate" not in traces


def test_an_encoder_in_inference_takes_the_path_with_layers(tmp_path):
    """torch's fused path is for modules without hooks alone: results are equal up to rounding."""
    model, values = encoder().eval(), noise(2, 5, 8)
    with torch.no_grad():
        expected = model(values)
        with tracegen.capture(model, tmp_path / "mine"):
            found = model(values)
    torch.testing.assert_close(found, expected)
    traces = traces_of(tmp_path / "mine")
    assert (traces["activations/norm"] == found.numpy()).all()
    assert {f"activations/layers.{n}.linear{m}" for n in (0, 1) for m in (1, 2)} <= set(traces)
