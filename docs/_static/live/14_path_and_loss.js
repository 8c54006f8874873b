// Lesson 14: gradient descent on a loss behind batch norm, in the plane of two weights, and its loss beside the plain one.
"use strict";

{
  const SIGMA = [[3.25, 1.3], [1.3, 1.75]], RHO = 0.9, STEPS = 40, FIRST = [-1.15, 0.1];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const scaled = (a, p) => [a * p[0], a * p[1]];
  const minus = (a, b) => [a[0] - b[0], a[1] - b[1]];
  const size = (w) => Math.sqrt(dot(live.times(SIGMA, w), w));  // the deviation of w·x

  const BEST = scaled(RHO / size([0.8, 0.6]), [0.8, 0.6]), C = live.times(SIGMA, BEST);
  const EDGE = 1 / ((SIGMA[0][0] + SIGMA[1][1]) / 2 + Math.hypot((SIGMA[0][0] - SIGMA[1][1]) / 2, SIGMA[0][1]));
  const RATES = live.union([0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200],
    live.logspace(Math.log10(0.05), Math.log10(200), 91).map((rate) => Number(rate.toPrecision(2))));
  const LENGTHS = live.union([0.25, 0.5, 1, 2, 4, 8], live.logspace(Math.log10(0.25), Math.log10(8), 51).map((l) => Number(l.toPrecision(2))));

  const plainLoss = (w) => 1 - 2 * dot(w, C) + dot(live.times(SIGMA, w), w);
  const normLoss = (w) => 2 - (2 * dot(w, C)) / size(w);
  const plainGrad = (w) => scaled(2, minus(live.times(SIGMA, w), C));
  const normGrad = (w) => {
    const s = size(w);
    return scaled(2, minus(scaled(dot(w, C) / s ** 3, live.times(SIGMA, w)), scaled(1 / s, C)));
  };
  const descend = (grad, rate, start) => {
    const path = [start];
    for (let t = 0; t < STEPS; t++) path.push(minus(path[t], scaled(rate, grad(path[t]))));
    return path;
  };

  // The loss depends on the direction only, so its contours are rays: two for each height above the least loss.
  const root = [[Math.sqrt(SIGMA[0][0]), 0], [0, 0]];  // Cholesky: SIGMA = K Kᵀ
  root[1][0] = SIGMA[0][1] / root[0][0];
  root[1][1] = Math.sqrt(SIGMA[1][1] - root[1][0] ** 2);
  const z = [root[0][0] * BEST[0] + root[1][0] * BEST[1], root[1][1] * BEST[1]];
  const rays = live.logspace(-2.2, Math.log10(3.5), 11).flatMap((height) => [1, -1].map((side) => {
    const turn = side * Math.acos(1 - height / (2 * RHO)), c = Math.cos(turn), s = Math.sin(turn);
    const [u, v] = [c * z[0] - s * z[1], s * z[0] + c * z[1]], y = v / root[1][1];
    return scaled(1 / Math.hypot((u - root[1][0] * y) / root[0][0], y), [(u - root[1][0] * y) / root[0][0], y]);
  }));
  const ray = (direction, far) => [[0, far * direction[0]], [0, far * direction[1]]];

  const short = (value) => (value >= 10 ? value.toFixed(0) : live.g(value, 2));
  const T = live.range(STEPS + 1);

  live.add("14_path_and_loss", {
    sliders: {
      rate: { name: "rate η", values: RATES, start: 1 },
      length: { name: "length of the first weights", values: LENGTHS, start: 1 },
    },
    scene({ rate, length }) {
      const start = scaled(length / Math.hypot(...FIRST), FIRST), path = descend(normGrad, rate, start);
      const reach = 1.15 * Math.max(...path.flat().map(Math.abs));
      const grown = short(Math.hypot(...path[STEPS]) / length);
      const above = path.map((w) => normLoss(w) - (2 - 2 * RHO));
      const plain = descend(plainGrad, rate, start).map((w) => Math.min(plainLoss(w) - (1 - RHO ** 2), 1e30));
      const fate = rate > EDGE ? "plain (grey): diverges" : "plain (grey): converges";
      const xs = path.map((w) => w[0]), ys = path.map((w) => w[1]);
      return [
        {
          title: `η = ${short(rate)}: the path`,
          alt: `Rays of equal loss around the origin, the best of them dashed, and the path of 40 steps at η = ${short(rate)} from weights of length ${live.g(length)}, which grow ${grown}-fold.`,
          x: { label: `w₁   (‖w‖ grows ${grown}-fold)`, from: -reach, to: reach },
          y: { label: "w₂", from: -0.49 * reach, to: 1.1 * reach },
          marks: [
            ...rays.map((direction) => ({ line: ray(direction, 3 * reach), color: "light", width: 1 })),
            { line: ray(scaled(1 / Math.hypot(...BEST), BEST), 3 * reach), dash: true, width: 1.2, label: "_best" },
            { line: [xs, ys], dots: 2.4, width: 1.2, color: "green", label: "_path" },
            { dot: path[STEPS], size: 5, color: "green" },
            { dot: start, size: 4.5, label: "_start" },
            { text: "start", at: start, anchor: "middle", dy: path[1][1] > start[1] ? 18 : -10 },
          ],
        },
        {
          title: "Loss above its minimum",
          alt: `Loss above the least against the step. Behind batch norm it is ${live.g(above[STEPS], 2)} after 40 steps at η = ${short(rate)}; the plain loss ${rate > EDGE ? "diverges" : "converges"}.`,
          right: 86,
          x: { label: "step", from: 0, to: STEPS },
          y: { label: "loss − least loss", log: true, from: 1e-6, to: 100 },
          marks: [
            { line: [T, plain], color: "grey", label: "_plain" },
            { line: [T, above], color: "green", label: "batch norm" },
            { text: fate, share: [0.97, 0.93], anchor: "end", color: "grey" },
            { text: "batch norm", at: [STEPS, live.clamp(above[STEPS], 1.4e-6, 100)], dx: 8, dy: 4, color: "green" },
          ],
        },
      ];
    },
  });
}
