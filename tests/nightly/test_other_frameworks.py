"""What docs/conventions.md says of Optax, Flax, Keras and scikit-learn, run against each of them in float64.

They are no part of the course's environment: `make frameworks` makes one from frameworks.txt and runs this
file there. It needs neither torch nor the package. A formula of the page stands here once more, as code.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}  # read when they are imported

import flax.linen as linen
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from flax import nnx
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network import _stochastic_optimizers as sklearn_optimizers

keras.config.set_floatx("float64")

RNG = np.random.default_rng(0)
START = np.array([1.0, -2.0, 0.5])
GRADIENTS = [*RNG.normal(size=(6, 3)), np.full(3, 1e-9), np.zeros(3)]  # small ones show where ε stands
LR = 0.1

Rule = Callable[[np.ndarray, np.ndarray, int, dict[str, Any]], np.ndarray]


def agree(path: Sequence[Any], expected: Sequence[Any]) -> None:
    assert len(path) == len(expected) > 0
    for one, other in zip(path, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def by_formula(rule: Rule) -> list[np.ndarray]:
    """θ after each step; `rule` gives the next θ from θ, g, t from 1 and a dictionary of its own."""
    path = [START]
    state: dict[str, Any] = {}
    for t, g in enumerate(GRADIENTS, 1):
        path.append(rule(path[-1], g, t, state))
    return path[1:]


def by_optax(transform: optax.GradientTransformation) -> list[np.ndarray]:
    theta = jnp.asarray(START)
    state, path = transform.init(theta), []
    for g in GRADIENTS:
        updates, state = transform.update(jnp.asarray(g), state, theta)
        theta = optax.apply_updates(theta, updates)
        path.append(np.asarray(theta))
    return path


def by_keras(optimizer: keras.optimizers.Optimizer, rates: Sequence[float] | None = None) -> list[np.ndarray]:
    theta, path = keras.Variable(START), []
    for step, g in enumerate(GRADIENTS):
        if rates is not None:
            optimizer.learning_rate = rates[step]
        optimizer.apply([jnp.asarray(g)], [theta])
        path.append(np.asarray(theta.value))
    return path


def by_sklearn(optimizer: Any, rates: Sequence[float] | None = None) -> list[np.ndarray]:
    theta, path = START.copy(), []
    for step, g in enumerate(GRADIENTS):
        if rates is not None:
            optimizer.learning_rate = rates[step]
        optimizer.update_params([theta], [g])
        path.append(theta.copy())
    return path


def default(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


# Momentum


def buffer_of_gradients(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
    s["v"] = 0.9 * s.get("v", 0.0) + g
    return p - LR * s["v"]


def buffer_of_steps(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
    s["v"] = 0.9 * s.get("v", 0.0) - LR * g
    return p + s["v"]


def nesterov_of_gradients(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
    s["v"] = 0.9 * s.get("v", 0.0) + g
    return p - LR * (g + 0.9 * s["v"])


def nesterov_of_steps(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
    s["v"] = 0.9 * s.get("v", 0.0) - LR * g
    return p + 0.9 * s["v"] - LR * g


def sklearn_sgd(nesterov: bool) -> Any:
    return sklearn_optimizers.SGDOptimizer([START], LR, "constant", 0.9, nesterov)


def test_momentum() -> None:
    agree(by_optax(optax.sgd(LR, momentum=0.9)), by_formula(buffer_of_gradients))
    agree(by_keras(keras.optimizers.SGD(LR, momentum=0.9)), by_formula(buffer_of_steps))
    agree(by_sklearn(sklearn_sgd(False)), by_formula(buffer_of_steps))


def test_nesterov() -> None:
    agree(by_optax(optax.sgd(LR, momentum=0.9, nesterov=True)), by_formula(nesterov_of_gradients))
    agree(by_keras(keras.optimizers.SGD(LR, momentum=0.9, nesterov=True)), by_formula(nesterov_of_steps))
    agree(by_sklearn(sklearn_sgd(True)), by_formula(nesterov_of_steps))


def test_dampening_is_a_moving_average_in_optax() -> None:
    def rule(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g
        return p - LR * s["v"]

    agree(by_optax(optax.chain(optax.ema(0.9, debias=False), optax.scale(-LR))), by_formula(rule))


def test_default_momentum() -> None:
    assert default(optax.sgd, "momentum") is None
    assert default(keras.optimizers.SGD, "momentum") == 0
    assert default(MLPClassifier, "momentum") == 0.9
    assert default(MLPClassifier, "nesterovs_momentum") is True


def test_a_new_rate_scales_the_old_velocity_in_optax_and_not_in_keras_and_scikit_learn() -> None:
    rates = [LR] * 3 + [LR / 10] * (len(GRADIENTS) - 3)

    def of_gradients(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        s["v"] = 0.9 * s.get("v", 0.0) + g
        return p - rates[t - 1] * s["v"]

    def of_steps(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        s["v"] = 0.9 * s.get("v", 0.0) - rates[t - 1] * g
        return p + s["v"]

    schedule = optax.piecewise_constant_schedule(LR, {3: 0.1})
    agree(by_optax(optax.sgd(schedule, momentum=0.9)), by_formula(of_gradients))
    agree(by_keras(keras.optimizers.SGD(LR, momentum=0.9), rates), by_formula(of_steps))
    agree(by_sklearn(sklearn_sgd(False), rates), by_formula(of_steps))


# Where ε stands


def adam(eps: float, *, root: float = 0.0, corrected: bool) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
        s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g**2
        m, c = s["m"] / (1 - 0.9**t), 1 - 0.999**t
        below = np.sqrt(s["v"] / c + root) + eps if corrected else (np.sqrt(s["v"]) + eps) / np.sqrt(c)
        return p - LR * m / below

    return rule


def test_adam() -> None:
    agree(by_optax(optax.adam(LR)), by_formula(adam(1e-8, corrected=True)))
    agree(by_optax(optax.adam(LR, eps_root=1e-3)), by_formula(adam(1e-8, root=1e-3, corrected=True)))
    agree(by_keras(keras.optimizers.Adam(LR)), by_formula(adam(1e-7, corrected=False)))
    agree(by_sklearn(sklearn_optimizers.AdamOptimizer([START], LR)), by_formula(adam(1e-8, corrected=False)))
    assert default(optax.adam, "eps_root") == 0
    assert default(MLPClassifier, "epsilon") == 1e-8


def rmsprop(eps: float) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g**2
        return p - LR * g / np.sqrt(s["v"] + eps)

    return rule


def test_rmsprop() -> None:
    agree(by_optax(optax.rmsprop(LR)), by_formula(rmsprop(1e-8)))
    agree(by_keras(keras.optimizers.RMSprop(LR)), by_formula(rmsprop(1e-7)))
    assert default(optax.rmsprop, "eps_in_sqrt") is True


def adagrad(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
    s["v"] = s.get("v", 0.1) + g**2
    return p - LR * g / np.sqrt(s["v"] + 1e-7)


def test_adagrad() -> None:
    agree(by_optax(optax.adagrad(LR)), by_formula(adagrad))
    agree(by_keras(keras.optimizers.Adagrad(LR)), by_formula(adagrad))


def adadelta(rho: float, eps: float) -> Rule:
    def rule(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        s["v"] = rho * s.get("v", 0.0) + (1 - rho) * g**2
        d = np.sqrt(s.get("u", 0.0) + eps) / np.sqrt(s["v"] + eps) * g
        s["u"] = rho * s.get("u", 0.0) + (1 - rho) * d**2
        return p - LR * d

    return rule


def test_adadelta() -> None:
    agree(by_optax(optax.adadelta(LR)), by_formula(adadelta(0.9, 1e-6)))
    agree(by_keras(keras.optimizers.Adadelta(LR)), by_formula(adadelta(0.95, 1e-7)))


# Weight decay and penalties


def test_decoupled_decay() -> None:
    step = adam(1e-8, corrected=True)

    def adamw(p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any]) -> np.ndarray:
        return step(p, g, t, s) - LR * 1e-4 * p

    agree(by_optax(optax.adamw(LR)), by_formula(adamw))
    keras_step = adam(1e-7, corrected=False)
    for optimizer, rule, decay in (
        (keras.optimizers.AdamW(LR), keras_step, 0.004),
        (keras.optimizers.Adam(LR, weight_decay=0.2), keras_step, 0.2),
        (keras.optimizers.SGD(LR, weight_decay=0.2), lambda p, g, t, s: p - LR * g, 0.2),
    ):

        def decayed(
            p: np.ndarray, g: np.ndarray, t: int, s: dict[str, Any], rule: Any = rule, decay: float = decay
        ) -> np.ndarray:
            return rule((1 - LR * decay) * p, g, t, s)

        agree(by_keras(optimizer), by_formula(decayed))
    assert default(keras.optimizers.SGD, "weight_decay") is None
    assert default(keras.optimizers.Adam, "weight_decay") is None


def test_the_place_of_optax_decay_in_its_chain_decides() -> None:
    assert default(optax.add_decayed_weights, "weight_decay") == 0
    step = adam(1e-8, corrected=True)
    before = optax.chain(optax.add_decayed_weights(0.2), optax.adam(LR))
    agree(by_optax(before), by_formula(lambda p, g, t, s: step(p, g + 0.2 * p, t, s)))
    after = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.2), optax.scale(-LR))
    agree(by_optax(after), by_formula(lambda p, g, t, s: step(p, g, t, s) - LR * 0.2 * p))


def test_keras_l2_has_no_half() -> None:
    penalty = keras.regularizers.L2()
    np.testing.assert_allclose(penalty(jnp.asarray(START)), 0.01 * (START**2).sum(), rtol=1e-12)


X = RNG.normal(size=(40, 3))
Y = X @ np.array([1.5, -0.7, 0.2]) + RNG.normal(size=40)
LABELS = (Y > 0).astype(int)


def smallest(loss: Callable[[np.ndarray], float], w: np.ndarray) -> None:
    """w minimises a convex loss: nothing near it is lower."""
    here = loss(w)
    for direction in [*np.eye(3), *-np.eye(3), *RNG.normal(size=(20, 3))]:
        assert loss(w + 1e-3 * direction) > here


def test_ridge_lasso_elastic_net() -> None:
    def rest(w: np.ndarray) -> float:
        return float(((Y - X @ w) ** 2).sum())

    kwargs: dict[str, Any] = {"fit_intercept": False, "tol": 1e-12}
    smallest(lambda w: rest(w) + float((w**2).sum()), Ridge(**kwargs).fit(X, Y).coef_)
    smallest(lambda w: rest(w) / 80 + 0.3 * float(abs(w).sum()), Lasso(0.3, **kwargs).fit(X, Y).coef_)
    w = ElasticNet(0.3, l1_ratio=0.25, **kwargs).fit(X, Y).coef_
    smallest(lambda w: rest(w) / 80 + 0.3 * float(0.25 * abs(w).sum() + 0.75 * (w**2).sum() / 2), w)
    assert default(Ridge, "alpha") == default(Lasso, "alpha") == default(ElasticNet, "alpha") == 1


def test_logistic_regression_weighs_the_losses_not_the_penalty() -> None:
    sign = 2 * LABELS - 1
    found = LogisticRegression(C=0.2, fit_intercept=False, tol=1e-12, max_iter=1000).fit(X, LABELS).coef_[0]
    smallest(lambda w: (w**2).sum() / 2 + 0.2 * np.logaddexp(0, -sign * (X @ w)).sum(), found)
    assert default(LogisticRegression, "C") == 1


def test_mlp_classifier_has_half_its_penalty_over_the_batch_and_none_on_biases() -> None:
    losses = []
    for alpha in (0.0, 3.0):
        net = MLPClassifier(
            (4,),
            alpha=alpha,
            solver="sgd",
            learning_rate_init=1e-14,
            max_iter=1,
            random_state=0,
            batch_size=20,
        )
        with pytest.warns(match="Maximum iterations"):
            net.fit(X, LABELS)
        losses.append(net.loss_)
    squares = sum((w**2).sum() for w in net.coefs_)
    assert any(abs(b).max() > 1e-3 for b in net.intercepts_), "biases would show"
    np.testing.assert_allclose(losses[1] - losses[0], 0.5 * 3.0 * squares / 20, rtol=1e-9)
    assert default(MLPClassifier, "alpha") == 1e-4


# Normalisation

BATCH = RNG.normal(0.2, 0.1, size=(8, 3))  # so narrow that ε shows
MEAN, BIASED = BATCH.mean(0), BATCH.var(0)


def near(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=3e-6, atol=1e-6)


def test_running_statistics_of_flax() -> None:
    layer = linen.BatchNorm(use_running_average=False, dtype=jnp.float64, param_dtype=jnp.float64)
    variables = layer.init(jax.random.key(0), jnp.asarray(BATCH))
    out, new = layer.apply(variables, jnp.asarray(BATCH), mutable=["batch_stats"])
    near(out, (BATCH - MEAN) / np.sqrt(BIASED + 1e-5))
    near(new["batch_stats"]["mean"], 0.01 * MEAN)
    near(new["batch_stats"]["var"], 0.99 + 0.01 * BIASED)
    again = linen.BatchNorm(use_running_average=True, param_dtype=jnp.float64)
    still = again.apply({**variables, **new}, jnp.asarray(BATCH))
    stats = new["batch_stats"]
    near(still, (BATCH - stats["mean"]) / np.sqrt(stats["var"] + 1e-5))


def test_flax_nnx_switches_by_method() -> None:
    class Net(nnx.Module):
        def __init__(self) -> None:
            self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))

    net = Net()
    net.eval()
    assert net.norm.use_running_average
    net.train()
    assert not net.norm.use_running_average
    assert (net.norm.momentum, net.norm.epsilon) == (0.99, 1e-5)


def test_running_statistics_of_keras() -> None:
    layer = keras.layers.BatchNormalization()
    out = layer(jnp.asarray(BATCH), training=True)  # in float32, whatever the inputs are
    near(out, (BATCH - MEAN) / np.sqrt(BIASED + 1e-3))
    mean, var = np.asarray(layer.moving_mean.value), np.asarray(layer.moving_variance.value)
    near(mean, 0.01 * MEAN)
    near(var, 0.99 + 0.01 * BIASED)
    layer.trainable = False  # evaluates, whatever `training` says
    still = layer(jnp.asarray(BATCH), training=True)
    near(still, (BATCH - mean) / np.sqrt(var + 1e-3))


def test_layer_norms() -> None:
    centred = BATCH - BATCH.mean(1, keepdims=True)
    for eps, layer in ((1e-3, keras.layers.LayerNormalization()), (1e-6, linen.LayerNorm(dtype=jnp.float64))):
        if isinstance(layer, linen.LayerNorm):
            variables = layer.init(jax.random.key(0), jnp.asarray(BATCH))
            out = layer.apply(variables, jnp.asarray(BATCH))
        else:
            out = layer(jnp.asarray(BATCH))
        near(out, centred / np.sqrt(BATCH.var(1, keepdims=True) + eps))


def test_channels_are_last() -> None:
    images = jnp.asarray(RNG.normal(size=(2, 5, 5, 3)))
    layer = keras.layers.BatchNormalization()
    layer(images)
    assert layer.gamma.shape == (3,)
    variables = linen.BatchNorm(use_running_average=False).init(jax.random.key(0), images)
    assert variables["params"]["scale"].shape == (3,)


# Dropout, smoothing, clipping


def test_dropout_takes_the_share_that_is_dropped_and_scales_in_training() -> None:
    ones = jnp.ones(20_000)
    flax_layer = linen.Dropout(0.2, deterministic=False)
    flax_out = np.asarray(flax_layer.apply({}, ones, rngs={"dropout": jax.random.key(0)}))
    keras_out = np.asarray(keras.layers.Dropout(0.2, seed=0)(ones, training=True))
    for out in (flax_out, keras_out):
        np.testing.assert_allclose(np.unique(out), [0.0, 1.25], rtol=1e-12)
        assert abs((out == 0).mean() - 0.2) < 0.02
    np.testing.assert_allclose(keras.layers.Dropout(0.2)(ones, training=False), ones)
    np.testing.assert_allclose(linen.Dropout(0.2, deterministic=True).apply({}, ones), ones)


LOGITS, ONE_HOT = RNG.normal(size=(4, 3)), np.eye(3)[[0, 2, 1, 1]]
LOG_P = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))


def test_label_smoothing() -> None:
    smooth = 0.7 * ONE_HOT + 0.3 / 3
    np.testing.assert_allclose(optax.smooth_labels(jnp.asarray(ONE_HOT), 0.3), smooth, rtol=1e-12)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    np.testing.assert_allclose(loss(ONE_HOT, LOGITS), -(smooth * LOG_P).sum(1).mean(), rtol=1e-9)


def test_cross_entropy_takes_logits_in_optax_and_probabilities_in_keras() -> None:
    expected = -(ONE_HOT * LOG_P).sum(1)
    found = optax.softmax_cross_entropy(jnp.asarray(LOGITS), jnp.asarray(ONE_HOT))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    loss = keras.losses.CategoricalCrossentropy()
    np.testing.assert_allclose(loss(ONE_HOT, np.exp(LOG_P)), expected.mean(), rtol=1e-6)


def test_clipping() -> None:
    gradients = [np.array([3.0, 4.0]), np.array([0.0, 12.0])]  # norms 5 and 12, together 13
    clip = optax.clip_by_global_norm(1.0)
    found, _ = clip.update([jnp.asarray(g) for g in gradients], clip.init(None))
    agree(found, [g / 13 for g in gradients])
    for kwargs, expected in (
        ({"clipnorm": 1.0}, [gradients[0] / 5, gradients[1] / 12]),
        ({"global_clipnorm": 1.0}, [g / 13 for g in gradients]),
    ):
        variables = [keras.Variable(np.zeros(2)), keras.Variable(np.zeros(2))]
        keras.optimizers.SGD(1.0, **kwargs).apply([jnp.asarray(g) for g in gradients], variables)
        agree([-np.asarray(v.value) for v in variables], expected)


# Schedules and averages


def test_the_optimizer_counts_from_zero() -> None:
    agree(by_optax(optax.sgd(lambda count: 1.0 * count)), by_formula(lambda p, g, t, s: p - (t - 1) * g))

    class Count(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return keras.ops.cast(step, "float64")

    agree(by_keras(keras.optimizers.SGD(Count())), by_formula(lambda p, g, t, s: p - (t - 1) * g))


def test_cosines_stay_at_their_end() -> None:
    ours = optax.cosine_decay_schedule(1.0, 10, alpha=0.25)
    theirs = keras.optimizers.schedules.CosineDecay(1.0, 10, alpha=0.25)
    for step in range(25):
        expected = 0.25 + 0.75 * (1 + np.cos(np.pi * min(step, 10) / 10)) / 2
        np.testing.assert_allclose([ours(step), theirs(step)], expected, rtol=1e-6)


def test_averages_of_weights() -> None:
    new, old = jnp.asarray([1.0]), jnp.asarray([3.0])
    np.testing.assert_allclose(optax.incremental_update(new, old, 0.25), 0.25 * 1 + 0.75 * 3)
    assert default(keras.optimizers.SGD, "use_ema") is False
    assert default(keras.optimizers.SGD, "ema_momentum") == 0.99
    theta = keras.Variable(START)
    optimizer = keras.optimizers.SGD(LR, use_ema=True)
    average: Any = None
    for g in GRADIENTS:
        optimizer.apply([jnp.asarray(g)], [theta])
        now = np.asarray(theta.value)
        average = now if average is None else 0.99 * average + 0.01 * now
    optimizer.finalize_variable_values([theta])
    agree([theta.value], [average])
