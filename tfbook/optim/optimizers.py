r"""Optimisers written out: SGD, RMSprop, Adam, AdamW and Muon, each step in a few lines.

Names, defaults and numbers are those of `torch.optim`, but that `learning_rate` stands for `lr`.
Below, $\theta$ is a parameter, $g$ its gradient, $\eta$ the learning rate, $\lambda$ the weight
decay; all products are element by element unless a docstring says otherwise.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tfbook.model.checks import check_count, check_number, check_probability


class Optimizer(ABC):
    """What all optimisers share: parameters in groups, and what is remembered of each.

    parameters: tensors, or dictionaries such as {"params": [...], "weight_decay": 0.0}, one a
    group, whose other entries replace the arguments. param_groups: these dictionaries,
    complete; state: for each parameter a dictionary, empty before its first step. Raises
    ValueError or TypeError naming parameters, or the argument that is out of its range.
    """

    def __init__(self, parameters: Iterable, **arguments: Any):
        groups = list(parameters)
        if not groups:
            raise ValueError("parameters must hold at least one tensor, got none")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.param_groups = [self._group(given, arguments) for given in groups]
        everything = [p for group in self.param_groups for p in group["params"]]
        self.state = {parameter: {} for parameter in everything}
        if len(self.state) < len(everything):
            raise ValueError("parameters must all differ, got one of them twice")

    def _group(self, given, arguments):
        unknown = given.keys() - arguments.keys() - {"params"}
        if unknown:
            raise ValueError(
                f"parameters must have groups with {sorted(arguments)} alone, got "
                f"{sorted(unknown)}"
            )
        group = {**arguments, **given, "params": list(given["params"])}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(
                    f"parameters must be tensors, got {parameter!r:.40}"
                )
        for name, value in group.items():
            check_argument(name, value)
        return group

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    self._update(parameter, parameter.grad, state, group)

    @abstractmethod
    def _update(
        self,
        parameter: Float[Tensor, "*shape"],
        gradient: Float[Tensor, "*shape"],
        state: dict[str, Any],
        group: dict[str, Any],
    ) -> None:
        """Change one parameter in place, and its state."""

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward pass starts from none."""
        for parameter in self.state:
            parameter.grad = None

    def state_dict(self) -> dict[str, list]:
        """What a training needs to go on: the groups' arguments, and each parameter's state
        in the order of the groups.
        """
        arguments = [
            {name: value for name, value in group.items() if name != "params"}
            for group in self.param_groups
        ]
        return {"param_groups": arguments, "state": list(self.state.values())}

    def load_state_dict(self, stored: dict[str, list]) -> None:
        """Go on from what `state_dict` returned, which is copied.

        Raises ValueError when it has another number of groups or parameters, or tensors of
        other shapes.
        """
        groups, states = stored["param_groups"], stored["state"]
        sizes = len(groups), len(states)
        if sizes != (len(self.param_groups), len(self.state)):
            raise ValueError(
                f"stored must hold {len(self.param_groups)} groups and {len(self.state)} "
                f"parameters, got {sizes[0]} and {sizes[1]}"
            )
        for parameter, state in zip(self.state, states, strict=True):
            for name, value in state.items():
                if isinstance(value, Tensor) and value.shape != parameter.shape:
                    raise ValueError(
                        f"stored must hold {name} of shape {tuple(parameter.shape)}, got "
                        f"{tuple(value.shape)}"
                    )
        for group, arguments in zip(self.param_groups, groups, strict=True):
            group.update(arguments)
        for parameter, state in zip(self.state, states, strict=True):
            self.state[parameter] = {
                name: value.clone() if isinstance(value, Tensor) else value
                for name, value in state.items()
            }


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum $\mu$ and dampening $\tau$ (Polyak 1964;
    Sutskever et al. 2013):

    $$ g \leftarrow g + \lambda\theta, \qquad
       v \leftarrow \mu v + (1 - \tau)\, g, \qquad
       \theta \leftarrow \theta - \eta v $$

    The first $v$ is $g$. nesterov: $\theta$ moves by $g + \mu v$ instead of $v$.
    """

    def __init__(
        self,
        parameters: Iterable,
        learning_rate: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "nesterov must be False without momentum and with dampening, got "
                f"momentum={momentum} and dampening={dampening}"
            )
        super().__init__(
            parameters,
            learning_rate=learning_rate,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def _update(self, parameter, gradient, state, group):
        gradient = gradient + group["weight_decay"] * parameter
        if group["momentum"]:
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = gradient.clone()
            else:
                velocity = state["momentum_buffer"]
                velocity.mul_(group["momentum"])
                velocity.add_(gradient, alpha=1 - group["dampening"])
            if group["nesterov"]:
                gradient = gradient + group["momentum"] * state["momentum_buffer"]
            else:
                gradient = state["momentum_buffer"]
        parameter -= group["learning_rate"] * gradient


class RMSprop(Optimizer):
    r"""Each gradient divided by the root of its running mean square (Hinton 2012, lecture 6):

    $$ s \leftarrow \alpha s + (1 - \alpha)\, g^2, \qquad
       \theta \leftarrow \theta - \eta\, g / (\sqrt{s} + \epsilon) $$

    centered: the mean square is taken around the gradient's running mean, which makes it a
    variance. momentum: as in `SGD`, of the divided gradients. Weight decay as there.
    """

    def __init__(
        self,
        parameters: Iterable,
        learning_rate: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
    ):
        super().__init__(
            parameters,
            learning_rate=learning_rate,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
        )

    def _update(self, parameter, gradient, state, group):
        alpha = group["alpha"]
        gradient = gradient + group["weight_decay"] * parameter
        square = running(state, "square_avg", gradient**2, alpha)
        if group["centered"]:
            square = square - running(state, "grad_avg", gradient, alpha) ** 2
        step = gradient / (square.sqrt() + group["eps"])
        if group["momentum"]:
            velocity = state.setdefault("momentum_buffer", torch.zeros_like(step))
            step = velocity.mul_(group["momentum"]).add_(step)
        parameter -= group["learning_rate"] * step


class Adam(Optimizer):
    r"""Momentum and a step of its own for each number (Kingma & Ba 2015, algorithm 1):

    $$ m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
       v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \qquad
       \theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}
                                        {\sqrt{v / (1 - \beta_2^t)} + \epsilon} $$

    $t$ counts the steps from 1; dividing by $1 - \beta^t$ makes up for the means' start at
    zero. Weight decay is added to the gradient, so it is divided as well: see `AdamW`.
    amsgrad: $v$ is the largest so far (Reddi et al. 2018).
    """

    def __init__(
        self,
        parameters: Iterable,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
    ):
        super().__init__(
            parameters,
            learning_rate=learning_rate,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
        )

    def _update(self, parameter, gradient, state, group):
        gradient = gradient + group["weight_decay"] * parameter
        self._move(parameter, gradient, state, group)

    def _move(self, parameter, gradient, state, group):
        beta_1, beta_2 = group["betas"]
        t = state["step"] = state.get("step", 0) + 1
        m = running(state, "exp_avg", gradient, beta_1)
        v = running(state, "exp_avg_sq", gradient**2, beta_2)
        if group["amsgrad"]:
            v = torch.maximum(state.get("max_exp_avg_sq", v), v)
            state["max_exp_avg_sq"] = v.clone()
        m, v = m / (1 - beta_1**t), v / (1 - beta_2**t)
        parameter -= group["learning_rate"] * m / (v.sqrt() + group["eps"])


class AdamW(Adam):
    r"""`Adam` with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2): before the
    step, $\theta \leftarrow (1 - \eta\lambda)\,\theta$, the same for every number.
    """

    def __init__(
        self,
        parameters: Iterable,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ):
        super().__init__(
            parameters, learning_rate, betas, eps, weight_decay, amsgrad
        )

    def _update(self, parameter, gradient, state, group):
        parameter *= 1 - group["learning_rate"] * group["weight_decay"]
        self._move(parameter, gradient, state, group)


class Muon(Optimizer):
    r"""Momentum for matrices, made orthogonal (Jordan et al. 2024):

    $$ v \leftarrow \mu v + (1 - \mu)\, g, \qquad
       \theta \leftarrow (1 - \eta\lambda)\,\theta
                     - \eta \sqrt{\max(1, \text{rows}/\text{columns})}\; O(v) $$

    $O$ replaces the singular values by numbers near 1, so that no direction is left behind:
    see `orthogonalised`. nesterov: $O$ is of $(1 - \mu)\, g + \mu v$. Raises ValueError for
    a parameter that is no matrix; those are left to `AdamW`.
    """

    def __init__(
        self,
        parameters: Iterable,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
    ):
        super().__init__(
            parameters,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            ns_coefficients=ns_coefficients,
            eps=eps,
            ns_steps=ns_steps,
        )
        for parameter in self.state:
            if parameter.dim() != 2:
                raise ValueError(
                    "parameters must be matrices for Muon, got one of shape "
                    f"{tuple(parameter.shape)}: leave it to AdamW"
                )

    def _update(self, parameter, gradient, state, group):
        velocity = running(state, "momentum_buffer", gradient, group["momentum"])
        if group["nesterov"]:
            velocity = gradient.lerp(velocity, group["momentum"])
        step = orthogonalised(
            velocity, group["ns_coefficients"], group["ns_steps"], group["eps"]
        )
        rows, columns = parameter.shape
        rate = group["learning_rate"] * max(1, rows / columns) ** 0.5
        parameter *= 1 - group["learning_rate"] * group["weight_decay"]
        parameter.add_(step, alpha=-rate)


def running(
    state: dict[str, Any], name: str, value: Float[Tensor, "*shape"], share: float
) -> Float[Tensor, "*shape"]:
    """The running mean of a value, kept in a state under a name from zero on: share of the
    old mean and the rest of the value.
    """
    mean = state.setdefault(name, torch.zeros_like(value))
    return mean.lerp_(value, 1 - share)


def orthogonalised(
    matrix: Float[Tensor, "rows columns"],
    coefficients: tuple[float, float, float],
    steps: int,
    eps: float,
) -> Float[Tensor, "rows columns"]:
    r"""A matrix with its own singular vectors and singular values near 1.

    Newton-Schulz iteration, $X \leftarrow aX + (b\,XX^\top + c\,(XX^\top)^2)\,X$ with
    products of matrices, from the matrix divided by its norm. In bfloat16, which is exact
    enough, since the coefficients carry each singular value only into 0.7 to 1.2.
    """
    a, b, c = coefficients
    x = matrix.bfloat16()
    tall = x.size(0) > x.size(1)
    # the smaller product: from here on rows <= columns
    x = x.T if tall else x  # (rows, columns)
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        square = x @ x.T  # (rows, rows)
        polynomial = torch.addmm(square, square, square, beta=b, alpha=c)
        x = torch.addmm(x, polynomial, x, beta=a)
    return x.T if tall else x  # (rows, columns)


def check_argument(name: str, value: Any) -> None:
    """Raise unless an optimiser's argument is in its range."""
    if name in ("learning_rate", "eps", "weight_decay", "dampening"):
        check_number(name, value)
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be 0 or more, and finite, got {value}")
    elif name in ("momentum", "alpha"):
        check_probability(name, value)
    elif name == "betas":
        for beta in value:
            check_probability(name, beta)
    elif name == "ns_steps":
        check_count(name, value)
