"""What roles, phases, splits, precisions and prunings are, in the words of a corpus' card."""

ROLE_MEANINGS = {
    "weights": "parameters, as they are stored",
    "activations": "what the next layer reads; in the phase inference on held-out inputs",
    "gradients": "of the loss by the weights, for one training batch; zero where a weight is pruned",
    "errors": "gradients of the loss by activations: what the backward pass moves between layers",
    "updates": "what the optimiser keeps and applies",
    "kv": "keys and values that an attention layer keeps for the tokens to come",
}
PHASE_MEANINGS = {
    "inference": "the forward pass in evaluation mode",
    "training": "a forward and backward pass of the trained model on a training batch",
    "training-start": "near the start of the training",
    "training-middle": "in its middle",
    "training-end": "at its end",
}
SPLIT_MEANINGS = {
    "profile": "codecs may learn from these",
    "test": "codecs are judged on these",
    "control": "neither: tensors of an untrained model, to compare with",
}
PRECISION_MEANINGS = {
    "float32": "IEEE 754 binary32",
    "float16": "IEEE 754 binary16; gradients are multiplied by `loss_scale` where that attribute is",
    "bfloat16": "float32 without its lower 16 bits, rounded",
    "float8_e4m3fn": "OCP 8-bit float, 4 exponent and 3 mantissa bits",
    "float8_e5m2": "OCP 8-bit float, 5 exponent and 2 mantissa bits",
    "int8": "symmetric (`zero_point` 0, so that zeros are zero bytes); weights with one `scale` per output "
    "channel, other tensors with one",
    "int8-affine": "as int8, but asymmetric: `zero_point` is the code of 0",
    "int8-tensor": "symmetric, with one `scale` for the whole tensor, weights too",
    "int8-tensor-affine": "asymmetric, with one `scale` and `zero_point` for the whole tensor",
    "int4": "4-bit codes, packed two in a byte, with a float16 scale for every 32 weights; "
    "activations are float16",
    "ternary": "weights of three values, packed four in a byte; fine-tuned so",
    "binary": "weights of two values, packed eight in a byte; fine-tuned so",
}
PRUNING_MEANINGS = {
    "none": "dense",
    "magnitude": "the smallest weights of each layer go, level by level, with fine-tuning at each",
    "magnitude-gradual": "as magnitude, more and more during one fine-tuning",
    "magnitude-oneshot": "as magnitude, at once from the dense model",
    "2of4": "two of every four neighbours stay (2:4 sparsity)",
    "rows": "rows of a convolution's kernel go together, or 16 neighbours in a matrix's row",
    "filter": "all weights of an output channel go together",
    "block4x4": "blocks of 4 x 4 weights go",
    "block16x16": "blocks of 16 x 16 weights go",
}
SCHEMA_TEXT = """\
`manifest.json` names every trace (`name` = `model/variant/role/layer`, with `@start`, `@middle` or `@end` for
a point of the training) with its dtype, shape, SHA-256 and the labels above, and every model with its metric,
scores, origin and licence. Each model has one HDF5 file, readable with any HDF5 library:

- `/traces/<variant>/<role>/<layer>`: the array in its own shape, its labels and what else is needed to read
  it (`scale`, `zero_point`, `axis`, ...) as attributes; scores are attributes of the variant's group.
- `/checkpoints/<pruning>/<parameter>`: the trained tensors.

A variant is precision, pruning and level: `int8-s90` is int8, 90 % pruned by magnitude; `int8-block4x4-s80`
is pruned by another method; `s0` is dense. `dtype` says what the stored words are, `precision` the model's
number format. Types that HDF5 lacks (bfloat16, float8) are stored as unsigned words of the same width.
`sparsity` is the pruning target, not the measured share of zeros. SHA-256 is over the array's little-endian
C-order bytes."""
