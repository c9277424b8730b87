"""A small model taught by a large one."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def distillation_loss(
    logits: Float[Tensor, "B T V"],
    teacher_logits: Float[Tensor, "B T V"],
    target: Int[Tensor, "B T"],
    temperature: float = 2.0,
    share: float = 0.5,
    pad: int = 0,
) -> Float[Tensor, ""]:
    r"""$(1 - a)\, \text{CE}(y, p) + a\, \tau^2\, \text{KL}(p^T_\tau \,\|\, p_\tau)$, the mean over
    all target symbols but pads, in nats (Hinton et al. 2015).

    $p_\tau$ is the softmax of the student's logits divided by the temperature $\tau$, $p^T_\tau$
    that of the teacher's; the factor $\tau^2$ keeps the gradients in size when $\tau$ changes.
    share: $a$. The teacher must be in eval mode, without gradients. Raises ValueError for a
    temperature that is not positive, a share outside of 0 to 1, and other shapes.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")
    if logits.shape != teacher_logits.shape:
        raise ValueError(
            f"teacher_logits must have the student's shape {tuple(logits.shape)}, got "
            f"{tuple(teacher_logits.shape)}"
        )
    real = target != pad  # (B, T)
    student, teacher = logits[real], teacher_logits[real]  # (N, V)
    hard = F.cross_entropy(student, target[real])
    soft = F.kl_div(
        (student / temperature).log_softmax(-1),
        (teacher / temperature).log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - share) * hard + share * temperature**2 * soft
