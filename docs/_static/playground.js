// The playground: two optimizers side by side on a surface, from the same start, through the same noise.
// Surfaces are those of course_utils.problems, rules those of course_utils.optimizers, schedules those of
// course_utils.schedules; tests/web/test_playground.py holds each against its function.
"use strict";

const playground = {};

{
  // ---- surfaces: value, gradient, where to look, where to begin, the least value; `rate` is one that descent on it can use

  const bowl = ([[a, b], [, d]]) => ({
    f: (x, y) => (a * x * x + 2 * b * x * y + d * y * y) / 2,
    grad: (x, y) => [a * x + b * y, b * x + d * y],
  });
  const c45 = Math.SQRT1_2;
  const SURFACES = {
    quadratic: { name: "bowl, κ = 10", ...bowl([[1, 0], [0, 10]]), x: [-4, 4], y: [-4, 4], start: [3, 3], least: 0, rate: 0.1 },
    ravine: { name: "ravine, κ = 100", ...bowl([[1, 0], [0, 100]]), x: [-4, 4], y: [-4, 4], start: [-3.5, 0.5], least: 0, rate: 0.01 },
    turned: {
      name: "ravine turned by 45°", ...bowl([[50.5, -49.5], [-49.5, 50.5]]), x: [-4, 4], y: [-4, 4],
      start: [c45 * -3.5 - c45 * 0.5, c45 * -3.5 + c45 * 0.5], least: 0, rate: 0.01,
    },
    rosenbrock: {
      name: "Rosenbrock's valley", x: [-2, 2], y: [-1, 3], start: [-1.2, 1], least: 0, rate: 0.001,
      f: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
      grad: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
    },
    beale: {
      name: "Beale's function", x: [-4.5, 4.5], y: [-4.5, 4.5], start: [1, 1], least: 0, rate: 0.01,
      f: (x, y) => [1.5, 2.25, 2.625].reduce((sum, a, k) => sum + (a - x + x * y ** (k + 1)) ** 2, 0),
      grad: (x, y) => [1.5, 2.25, 2.625].reduce(([u, v], a, k) => {
        const r = a - x + x * y ** (k + 1);
        return [u + 2 * r * (y ** (k + 1) - 1), v + 2 * r * x * (k + 1) * y ** k];
      }, [0, 0]),
    },
    himmelblau: {
      name: "Himmelblau's function", x: [-5, 5], y: [-5, 5], start: [0, 0], least: 0, rate: 0.01,
      f: (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
      grad: (x, y) => [4 * x * (x * x + y - 11) + 2 * (x + y * y - 7), 2 * (x * x + y - 11) + 4 * y * (x + y * y - 7)],
    },
    saddle: {
      name: "saddle", x: [-2, 2], y: [-2, 2], start: [1.5, 1e-3], rate: 0.1,
      f: (x, y) => (x * x - y * y) / 2, grad: (x, y) => [x, -y],
    },
    monkey: {
      name: "monkey saddle", x: [-1.5, 1.5], y: [-1.5, 1.5], start: [0.8, 1e-3], rate: 0.05,
      f: (x, y) => x ** 3 - 3 * x * y * y, grad: (x, y) => [3 * x * x - 3 * y * y, -6 * x * y],
    },
    plateau: {
      name: "hole in a plateau", x: [-4, 4], y: [-4, 4], start: [3, 2], least: 0, rate: 0.5,
      f: (x, y) => -Math.expm1(-(x * x + y * y) / 2),
      grad: (x, y) => { const e = Math.exp(-(x * x + y * y) / 2); return [x * e, y * e]; },
    },
    rastrigin: {
      name: "Rastrigin's egg-box", x: [-5.12, 5.12], y: [-5.12, 5.12], start: [2.6, 2.6], least: 0, rate: 0.002,
      f: (x, y) => [x, y].reduce((sum, v) => sum + v * v + 10 * (1 - Math.cos(2 * Math.PI * v)), 0),
      grad: (x, y) => [x, y].map((v) => 2 * v + 20 * Math.PI * Math.sin(2 * Math.PI * v)),
    },
    styblinski: {
      name: "Styblinski and Tang's", x: [-5, 5], y: [-5, 5], start: [0.5, 0.5], least: -78.33233140754282, rate: 0.02,
      f: (x, y) => [x, y].reduce((sum, v) => sum + (v ** 4 - 16 * v * v + 5 * v) / 2, 0),
      grad: (x, y) => [x, y].map((v) => 2 * v ** 3 - 16 * v + 2.5),
    },
  };

  // ---- rules: one coordinate p, its gradient g, its state s (empty at first), settings, step t from 1; the new p

  const coupled = (step) => (p, g, s, h, t) => step(p, g + h.decay * p, s, h, t);  // the penalty in the gradient
  const decoupled = (step) => (p, g, s, h, t) => step(p * (1 - h.lr * h.decay), g, s, h, t);
  const sgd = (nesterov) => (p, g, s, { lr, beta1 }) => {
    s.m = s.m === undefined ? g : beta1 * s.m + g;
    return p - lr * (nesterov ? g + beta1 * s.m : s.m);
  };
  const rmsprop = (centered) => (p, g, s, { lr, beta2, eps }) => {
    s.v = beta2 * (s.v || 0) + (1 - beta2) * g * g;
    s.u = (s.u || 0) + (1 - beta2) * (g - (s.u || 0));
    return p - (lr * g) / (Math.sqrt(centered ? s.v - s.u * s.u : s.v) + eps);
  };
  const adam = (amsgrad) => (p, g, s, { lr, beta1, beta2, eps }, t) => {
    s.m = (s.m || 0) + (1 - beta1) * (g - (s.m || 0));
    s.v = beta2 * (s.v || 0) + (1 - beta2) * g * g;
    s.most = Math.max(s.most || 0, s.v);
    const size = Math.sqrt(amsgrad ? s.most : s.v) / Math.sqrt(1 - beta2 ** t) + eps;
    return p - (lr / (1 - beta1 ** t)) * (s.m / size);
  };
  // Schedule-free: z moves, x averages, the gradient is taken at y, which is what comes back; the answer is s.x.
  const averaged = (move, share) => (y, g, s, h, t) => {
    if (s.z === undefined) [s.z, s.x, s.sum] = [y, y, 0];
    const lr = share(h, t);
    s.z = move(s, y, g, lr, h);
    s.sum += lr * lr;
    if (s.sum > 0) s.x += ((lr * lr) / s.sum) * (s.z - s.x);
    return s.x + (1 - h.beta1) * (s.z - s.x);
  };
  const ALL = ["lr", "beta1", "beta2", "eps", "decay"];
  const RULES = {
    sgd: { name: "SGD with momentum", step: coupled(sgd(false)), has: ["lr", "beta1", "decay"], beta1: 0.9 },
    nesterov: { name: "SGD, Nesterov", step: coupled(sgd(true)), has: ["lr", "beta1", "decay"], beta1: 0.9 },
    adagrad: {
      name: "Adagrad", has: ["lr", "eps", "decay"], eps: 1e-10, signed: 10,
      step: coupled((p, g, s, { lr, eps }) => {
        s.v = (s.v || 0) + g * g;
        return p - (lr * g) / (Math.sqrt(s.v) + eps);
      }),
    },
    rmsprop: { name: "RMSprop", step: coupled(rmsprop(false)), has: ["lr", "beta2", "eps", "decay"], beta2: 0.99, signed: 1 },
    centered: { name: "RMSprop, centered", step: coupled(rmsprop(true)), has: ["lr", "beta2", "eps", "decay"], beta2: 0.99, signed: 0.5 },
    adadelta: {
      name: "Adadelta", has: ["lr", "beta2", "eps", "decay"], beta2: 0.9, eps: 1e-6, rate: 1,
      step: coupled((p, g, s, { lr, beta2, eps }) => {
        s.v = beta2 * (s.v || 0) + (1 - beta2) * g * g;
        const d = (Math.sqrt((s.d || 0) + eps) / Math.sqrt(s.v + eps)) * g;
        s.d = beta2 * (s.d || 0) + (1 - beta2) * d * d;
        return p - lr * d;
      }),
    },
    adam: { name: "Adam", step: coupled(adam(false)), has: ALL, beta1: 0.9, beta2: 0.999, signed: 2 },
    amsgrad: { name: "AMSGrad", step: coupled(adam(true)), has: ALL, beta1: 0.9, beta2: 0.999, signed: 2 },
    adamw: { name: "AdamW", step: decoupled(adam(false)), has: ALL, beta1: 0.9, beta2: 0.999, signed: 2 },
    lion: {
      name: "Lion", has: ["lr", "beta1", "beta2", "decay"], beta1: 0.9, beta2: 0.99, signed: 0.5,
      step: decoupled((p, g, s, { lr, beta1, beta2 }) => {
        const sign = Math.sign(beta1 * (s.m || 0) + (1 - beta1) * g);
        s.m = beta2 * (s.m || 0) + (1 - beta2) * g;
        return p - lr * sign;
      }),
    },
    freesgd: {
      name: "schedule-free SGD", has: ["lr", "beta1", "decay"], beta1: 0.9,
      step: averaged((s, y, g, lr, h) => s.z - lr * (g + h.decay * y), (h) => h.lr),
    },
    freeadamw: {
      name: "schedule-free AdamW", has: ALL, beta1: 0.9, beta2: 0.999, signed: 5,
      step: averaged((s, y, g, lr, h) => {
        s.v = h.beta2 * (s.v || 0) + (1 - h.beta2) * g * g;
        return s.z - (lr * g) / (Math.sqrt(s.v) + h.eps) - lr * h.decay * y;
      }, (h, t) => h.lr * Math.sqrt(1 - h.beta2 ** t)),
    },
  };

  // ---- schedules: the share of the rate at step t of `total`, t from 0

  const cosine = (t, total) => (1 + Math.cos((Math.PI * Math.min(t, total)) / total)) / 2;
  const tenth = (total) => Math.floor(total / 10);
  const SCHEDULES = {
    constant: { name: "constant", at: () => 1 },
    linear: { name: "linear to 0", at: (t, total) => 1 - Math.min(t, total) / total },
    cosine: { name: "cosine to 0", at: cosine },
    exponential: { name: "exponential to 1 %", at: (t, total) => (0.01 ** (1 / total)) ** t },
    warm: {
      name: "a tenth warm-up, then cosine",
      at: (t, total) => (t < tenth(total) ? (t + 1) / tenth(total) : cosine(t - tenth(total), total - tenth(total))),
    },
    stable: {
      name: "warm-up, stable, a fifth of decay",
      at: (t, total) => {
        const up = tenth(total), down = 2 * tenth(total);
        return t < up ? (t + 1) / up : 1 - Math.max(t - (total - down), 0) / down;
      },
    },
  };

  // Standard normal numbers that a seed gives: the same for both optimizers, so that they differ by their rules alone.
  const normals = (count, seed) => {
    let state = (seed * 0x9e3779b9) >>> 0;
    const uniform = () => {  // mulberry32
      state = (state + 0x6d2b79f5) >>> 0;
      let z = Math.imul(state ^ (state >>> 15), state | 1);
      z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
      return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
    };
    return Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
  };

  // The points of a run, the start included: at each step the gradient of `grad(x, y, t)` at the weights.
  const run = (rule, grad, start, steps, settings, schedule = "constant") => {
    const { step } = RULES[rule], states = [{}, {}];
    let p = start;
    const xs = [p[0]], ys = [p[1]];
    for (let t = 0; t < steps; t++) {
      const h = { ...settings, lr: settings.lr * SCHEDULES[schedule].at(t, steps) }, g = grad(p[0], p[1], t);
      p = p.map((value, k) => step(value, g[k], states[k], h, t + 1));
      const shown = p.map((value, k) => ("x" in states[k] ? states[k].x : value));
      xs.push(shown[0]);
      ys.push(shown[1]);
    }
    return [xs, ys];
  };

  Object.assign(playground, { SURFACES, RULES, SCHEDULES, normals, run });

  // ---- the page

  const short = (x) => Number(x.toPrecision(3));
  const RATES = live.logspace(-4, 1, 101).map(short);
  const BETAS1 = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999];
  const BETAS2 = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999];
  const EPS = [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 1];
  const DECAYS = [0, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
  const STEPS = [20, 50, 100, 200, 500, 1000, 2000];
  const ARMS = [["a", "First, solid", "blue"], ["b", "Second, dashed", "vermilion"]];

  // Settings to begin with: what the rule's paper or PyTorch has, and a rate that fits the surface.
  const usual = (arm, rule, surface) => {
    const { rate, x } = SURFACES[surface], one = RULES[rule];
    const lr = one.rate || (one.signed ? one.signed * 0.005 * (x[1] - x[0]) : 0.3 * rate);
    return {
      [`${arm}_lr`]: live.nearest(RATES, lr), [`${arm}_beta1`]: one.beta1 || 0, [`${arm}_beta2`]: one.beta2 || 0.999,
      [`${arm}_eps`]: one.eps || 1e-8,
    };
  };
  const options = (table) => Object.entries(table).map(([key, { name }]) => [key, name]);

  const arm = ([key, group], rule) => {
    const needs = (what) => (values) => RULES[values[key]].has.includes(what);
    const start = usual(key, rule, "ravine");
    return {
      [key]: { name: "optimizer", options: options(RULES), start: rule, group },
      [`${key}_lr`]: { name: "rate η", values: RATES, start: start[`${key}_lr`], group },
      [`${key}_beta1`]: { name: "β, or β₁", values: BETAS1, start: start[`${key}_beta1`], group, needed: needs("beta1") },
      [`${key}_beta2`]: { name: "β₂, or its α, ρ", values: BETAS2, start: start[`${key}_beta2`], group, needed: needs("beta2") },
      [`${key}_eps`]: { name: "ε", values: EPS, start: start[`${key}_eps`], group, needed: needs("eps") },
      [`${key}_decay`]: { name: "weight decay λ", values: DECAYS, start: 0, group },
    };
  };

  const WIDE = 240;
  const ground = (surface) => {
    const { f, x, y } = SURFACES[surface], heights = new Float64Array(WIDE * WIDE);
    const at = ([from, to], k) => from + ((to - from) * (k + 0.5)) / WIDE;
    for (let row = 0; row < WIDE; row++)
      for (let column = 0; column < WIDE; column++) heights[row * WIDE + column] = f(at(x, column), at(y, row));
    const low = heights.reduce((a, b) => Math.min(a, b)), high = heights.reduce((a, b) => Math.max(a, b));
    const level = (h) => Math.log1p((400 * (h - low)) / (high - low)) / Math.log(401);
    // bands of one grey, the clearer the lower: they stand on a light page and on a dark one
    return live.picture(WIDE, WIDE, (row, column) => (
      [128, 128, 128, Math.round(150 * Math.ceil(16 * level(heights[row * WIDE + column])) / 16)]));
  };
  const grounds = new Map();

  const settings = (values, key) => Object.fromEntries(
    ["lr", "beta1", "beta2", "eps", "decay"].map((name) => [name, values[`${key}_${name}`]]));
  const number = (v) => live.g(v, 3).replace(/-/g, "−");

  live.add("playground", {
    link: true,
    sliders: {
      surface: { name: "surface", options: options(SURFACES), start: "ravine" },
      steps: { name: "steps", values: STEPS, start: 100 },
      schedule: { name: "schedule of both", options: options(SCHEDULES), start: "constant" },
      noise: { name: "noise σ in the gradient", values: [0, 0.03, 0.1, 0.3, 1, 3, 10], start: 0 },
      seed: { name: "draw of the noise", values: live.range(20).map((k) => k + 1), start: 1, needed: ({ noise }) => noise > 0 },
      ...arm(ARMS[0], "sgd"), ...arm(ARMS[1], "adam"),
    },
    start: { x: SURFACES.ravine.start[0], y: SURFACES.ravine.start[1] },
    change(values, moved) {
      const after = { ...moved }, surface = moved.surface || values.surface;
      if (moved.surface && !("x" in moved)) [after.x, after.y] = SURFACES[surface].start;
      for (const [key] of ARMS)
        if (moved[key] || moved.surface) Object.assign(after, { ...usual(key, moved[key] || values[key], surface), ...moved });
      return after;
    },
    scene(values) {
      const { surface, steps, schedule, noise, seed } = values, { name, f, grad, x, y, least } = SURFACES[surface];
      const drawn = noise ? normals(2 * steps, seed) : [];
      const seen = (u, v, t) => { const g = grad(u, v); return noise ? [g[0] + noise * drawn[2 * t], g[1] + noise * drawn[2 * t + 1]] : g; };
      const start = [values.x, values.y];
      const runs = ARMS.map(([key, , color], k) => {
        const path = run(values[key], seen, start, steps, settings(values, key), schedule);
        const heights = path[0].map((u, t) => f(u, path[1][t]));
        const label = RULES[values[key]].name, end = heights.at(-1);
        return { path, heights, label, end, color, dash: k === 1, lost: !(Math.abs(path[0].at(-1)) < 1e3 && Math.abs(path[1].at(-1)) < 1e3) };
      });
      const said = runs.map(({ label, end, lost }) => `${label}: ${lost ? "gone" : number(end - (least || 0))}`);
      const T = live.range(steps + 1), floor = 1e-12;
      const shown = runs.flatMap(({ heights }) => heights.map((h) => h - (least || 0))).filter((h) => Number.isFinite(h) && Math.abs(h) < 1e6);
      const high = Math.max(...shown, 1e-9), low = Math.min(...shown.filter((h) => least === undefined || h > floor), high);
      const axis = least === undefined
        ? { label: "f", from: Math.max(low, -50) - 0.05 * (high - Math.max(low, -50)) - 1e-9, to: high + 1e-9 }
        : { label: "f above its minimum", log: true, from: Math.max(10 ** Math.floor(Math.log10(low)), floor), to: 10 ** Math.ceil(Math.log10(high) + 1e-9) };
      if (axis.log && axis.to <= axis.from) axis.to = 10 * axis.from;
      return [
        {
          title: `Drag the start: ${name}`,
          alt: `${name}, the greyer the higher, and the paths of ${runs[0].label} (solid) and ${runs[1].label} (dashed) over ${steps} steps from (${live.g(start[0], 3)}, ${live.g(start[1], 3)}).`,
          x: { label: "θ₁", from: x[0], to: x[1] },
          y: { label: "θ₂", from: y[0], to: y[1] },
          equal: true,
          under: { key: surface, marks: () => {
            if (!grounds.has(surface)) grounds.set(surface, ground(surface));
            return [{ image: grounds.get(surface), box: [...x, ...y] }];
          } },
          marks: [
            ...runs.map(({ path, color, dash }) => ({ line: path, color, dash, width: 1.6, dots: steps > 200 ? 0 : 2 })),
            ...runs.map(({ path, color }) => ({ dot: [path[0].at(-1), path[1].at(-1)], color, size: 5.5, ring: true })),
            { dot: start, size: 6, color: "ink", ring: true },
          ],
          drag: (u, v) => ({ x: short(u), y: short(v) }),
        },
        {
          title: `After ${steps} steps: ${said.join("; ")}`,
          alt: `${least === undefined ? "f" : "f above its minimum, logarithmic,"} against the step. After ${steps} steps: ${said.join("; ")}.`,
          share: 1.1,
          x: { label: "step t", from: 0, to: steps },
          y: axis,
          marks: runs.map(({ heights, color, dash }) => (
            { line: [T, heights.map((h) => (axis.log ? Math.max(h - least, floor / 10) : h))], color, dash, width: 1.8 })),
        },
      ];
    },
  });
}
