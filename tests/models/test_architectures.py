"""Capturing architectures of transformers, built small from their configurations: nothing is downloaded."""

import numpy as np
import pytest
from support import traces_of

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: tox -e models")
from capturing import ROLES, check_capture, inferred, trained  # noqa: E402 - only where both are

import tracegen  # noqa: E402
from tracegen.corpus import Corpus  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' and torch's about each other

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
TEXT = {**SMALL, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
VISION = {**SMALL, "image_size": 16, "patch_size": 4}
GROUPED = {**TEXT, "num_key_value_heads": 2}
SPEECH = {
    **SMALL,
    "vocab_size": 20,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "apply_spec_augment": False,
    "layerdrop": 0.0,  # numpy's chance, and which layers there are
}
WHISPER = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_mel_bins": 8,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_source_positions": 10,
    "max_target_positions": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
T5 = {
    "vocab_size": 99,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}
GPT2 = {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16}
CLIP = {"text_config": {**TEXT, "max_position_embeddings": 16}, "vision_config": VISION, "projection_dim": 16}


def tokens(*shape):
    return torch.randint(3, 99, shape, generator=torch.Generator().manual_seed(3))


def floats(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def labelled(inputs, labels=None):
    """The inputs of inference, and those of training."""
    return inputs, {**inputs, "labels": next(iter(inputs.values())) if labels is None else labels}


IDS = labelled({"input_ids": tokens(2, 7)})
IMAGES = labelled({"pixel_values": floats(2, 3, 16, 16)}, torch.tensor([0, 1]))
PAIRS = {"input_ids": tokens(2, 7), "pixel_values": floats(2, 3, 16, 16)}
SENTENCES = {"input_ids": tokens(2, 7), "decoder_input_ids": tokens(2, 5)}
SPOKEN = {"input_features": floats(2, 8, 20), "decoder_input_ids": tokens(2, 5)}
AUDIO = labelled({"input_values": floats(2, 800)}, torch.randint(1, 20, (2, 5)))

# By name: the configuration, what is set in it, the class, the inputs, and how many traces of role kv.
ARCHITECTURES = {
    "vit": ("ViTConfig", VISION, "ViTForImageClassification", IMAGES, 0),
    "clip": ("CLIPConfig", CLIP, "CLIPModel", (PAIRS, {**PAIRS, "return_loss": True}), 0),
    "mamba": ("MambaConfig", {**TEXT, "state_size": 4}, "MambaForCausalLM", IDS, 0),
    "mixtral": ("MixtralConfig", {**GROUPED, "num_local_experts": 4}, "MixtralForCausalLM", IDS, 4),
    "wav2vec2": ("Wav2Vec2Config", SPEECH, "Wav2Vec2ForCTC", AUDIO, 0),
    "t5": ("T5Config", T5, "T5ForConditionalGeneration", labelled(SENTENCES, tokens(2, 5)), 8),
    "whisper": (
        "WhisperConfig",
        WHISPER,
        "WhisperForConditionalGeneration",
        labelled(SPOKEN, tokens(2, 5)),
        8,
    ),
    "llama": ("LlamaConfig", GROUPED, "LlamaForCausalLM", IDS, 4),
    "bert": ("BertConfig", TEXT, "BertForMaskedLM", IDS, 0),
    "gpt2": ("GPT2Config", GPT2, "GPT2LMHeadModel", IDS, 4),
}
# Attention and state-space layers whose weights, activations and dropout go through one function of all.
NEVER_CALLED = {"mamba": "mixer.conv1d", "bert": "self.dropout", "gpt2": "attn_dropout", "t5": "shared"}


def made(name):
    config, settings, of, _, _ = ARCHITECTURES[name]
    torch.manual_seed(0)
    return getattr(transformers, of)(getattr(transformers, config)(**settings))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_step_of_training(tmp_path, name):
    _, inputs = ARCHITECTURES[name][3]
    step = trained(lambda model: model(**inputs).loss)
    recorder, _ = check_capture(tmp_path / "mine", lambda: made(name), step)
    silent = "".join(note for note in recorder.notes if note.startswith("never called"))
    assert [part for part in NEVER_CALLED.values() if part in silent] == [NEVER_CALLED.get(name)] * bool(
        silent
    )
    assert bool(silent) == (name in NEVER_CALLED)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_inference_with_caches(tmp_path, name):
    inputs, _ = ARCHITECTURES[name][3]
    step = inferred(lambda model: [value for value in model(**inputs).values() if torch.is_tensor(value)])
    recorder, traces = check_capture(tmp_path / "mine", lambda: made(name), step)
    kv = {trace for trace in traces if trace.startswith("kv/")}
    assert len(kv) == ARCHITECTURES[name][4]
    assert ("kv/cross.1.values" in kv) == (len(kv) == 8)
    assert not [n for n in recorder.notes if n.startswith("kv/")] or name == "mamba"


def trained_with_checkpoints(folder, name, reentrant):
    """Three steps of training, two of them captured; what is in the corpus. None: without checkpoints."""
    model = made(name).train()
    if reentrant is not None:
        model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    model.enable_input_require_grads()  # reentrant checkpoints need one that does
    _, inputs = ARCHITECTURES[name][3]
    options = {"use_cache": False} if ARCHITECTURES[name][4] else {}
    with tracegen.capture(model, folder, roles=("activations", "gradients", "errors"), steps=2, every=2):
        torch.manual_seed(1)
        for _ in range(3):
            optimiser.zero_grad()
            model(**inputs, **options).loss.backward()
            optimiser.step()  # so that no step is like another
    return traces_of(folder)


@pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "non-reentrant"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradient_checkpointing_changes_nothing(tmp_path, name, reentrant):
    expected = trained_with_checkpoints(tmp_path / "without", name, None)
    found = trained_with_checkpoints(tmp_path / "with", name, reentrant)
    assert set(found) == set(expected)
    # What a reentrant checkpoint passes back to an encoder is summed in it: another order of additions.
    tolerance = 1e-5 if reentrant and name in ("t5", "whisper") else 0
    for trace, array in expected.items():
        np.testing.assert_allclose(found[trace], array, rtol=0, atol=tolerance, err_msg=trace)


def test_generation_is_captured_token_by_token(tmp_path):
    model = made("llama").eval()
    prompt = tokens(1, 4)
    expected = model.generate(prompt, max_new_tokens=4, do_sample=False)
    with tracegen.capture(model, tmp_path / "mine", roles=ROLES, steps=3):
        found = model.generate(prompt, max_new_tokens=4, do_sample=False)
    assert torch.equal(found, expected)
    with Corpus.open(tmp_path / "mine") as corpus:
        shapes = {f"{t.role}/{t.layer}": t.shape for t in corpus.traces}
    assert [shapes[f"kv/0.keys.step{step}"][2] for step in (1, 2, 3)] == [4, 5, 6]
    assert [shapes[f"activations/lm_head.step{step}"][1] for step in (1, 2, 3)] == [1, 1, 1]
