"""How far a variant's predictions are from those of the dense float32 model."""

from __future__ import annotations

import math

from torch import Tensor


def divergence(dense: Tensor, variant: Tensor) -> dict[str, float]:
    """Compare logits of shape (..., classes), both on the same held-out samples.

    `logit_kl_bits`: Kullback-Leibler divergence D(dense || variant) of the predicted distributions, in bits,
    mean over samples. `flips_percent`: share of samples whose likeliest class changed (Dutta et al.,
    arXiv 2407.09141, "Accuracy is not all you need").
    """
    log_p, log_q = dense.log_softmax(-1), variant.log_softmax(-1)
    kl_nats = (log_p.exp() * (log_p - log_q)).sum(-1).double().mean().item()
    flips = (dense.argmax(-1) != variant.argmax(-1)).double().mean().item()
    return {"logit_kl_bits": kl_nats / math.log(2), "flips_percent": 100.0 * flips}
