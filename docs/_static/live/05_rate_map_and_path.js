// Lesson 05: the factor per step for every step size and momentum, and where a choice goes in the ravine.
"use strict";

{
  const MU = 1, L = 40, START = [-3.26, 1.56], STEPS = 60;
  const A = live.turned(MU, L, -0.35);
  const RATES = live.range(100).map((k) => (k + 1) / 1000), BETAS = live.range(100).map((k) => k / 100);

  // Per step and in the long run, of the error along a direction of this curvature.
  const heavyBall = (lr, beta, curvature) => {
    const b = 1 + beta - lr * curvature;
    return b * b < 4 * beta ? Math.sqrt(beta) : (Math.abs(b) + Math.sqrt(Math.max(b * b - 4 * beta, 0))) / 2;
  };
  const factor = (lr, beta) => Math.max(heavyBall(lr, beta, MU), heavyBall(lr, beta, L));

  const descend = (lr, beta) => {
    let p = START, v = [0, 0];
    const xs = [p[0]], ys = [p[1]];
    for (let t = 0; t < STEPS; t++) {
      const g = live.times(A, p);
      v = [beta * v[0] + g[0], beta * v[1] + g[1]];
      p = [p[0] - lr * v[0], p[1] - lr * v[1]];
      xs.push(live.clamp(p[0], -50, 50));
      ys.push(live.clamp(p[1], -50, 50));
    }
    return [xs, ys];
  };

  const root = Math.sqrt(L) + Math.sqrt(MU);
  const BEST = [(2 / root) ** 2, ((Math.sqrt(L) - Math.sqrt(MU)) / root) ** 2];

  const LOW = 0.7;  // of the colours; 1 is the highest
  let picture;
  const map = () => {
    picture = picture || live.picture(100, 100, (row, column) => {
      const z = factor(RATES[column], BETAS[row]);
      return z < 1 ? (z - LOW) / (1 - LOW) : NaN;
    });
    return [
      { image: picture, box: [0.0005, 0.1005, -0.005, 0.995] },
      { line: [[0.05, 0.1], [0, 1]], dash: true, width: 1.2, color: "map" },
      { text: "diverges", at: [0.098, 0.12], anchor: "end", color: "map" },
      { dot: BEST, shape: "star", size: 8, color: "white", ring: true },
    ];
  };
  const contours = () => live.logspace(-2.2, 2.4, 12).map((height) => (
    { line: live.ellipse(A, [0, 0], 2 * height), color: "light", width: 1 }));

  live.add("05_rate_map_and_path", {
    sliders: {
      lr: { name: "step size η", values: RATES, start: 0.06 },
      beta: { name: "momentum β", values: BETAS, start: 0.6 },
    },
    factor,
    scene({ lr, beta }) {
      const z = factor(lr, beta), path = descend(lr, beta);
      const outcome = z < 1 ? `${z.toFixed(3)} per step` : "diverges";
      const choice = `η = ${live.g(lr)}, β = ${live.g(beta)}`;
      return [
        {
          title: "White is unstable, the star is the optimum",
          alt: `Map of the factor per step over step size and momentum. A dark valley of fast choices runs down to the optimum, a star, next to the edge of stability. The choice ${choice}: ${outcome}.`,
          share: 1.15,
          x: { label: "step size η", from: 0.0005, to: 0.1005, ticks: [0.02, 0.04, 0.06, 0.08, 0.1] },
          y: { label: "momentum β", from: -0.005, to: 0.995, ticks: [0, 0.2, 0.4, 0.6, 0.8] },
          bar: { label: "factor per step", ticks: [[0, "0.7"], [1 / 3, "0.8"], [2 / 3, "0.9"], [1, "1"]] },
          under: { key: "map", marks: map },
          marks: [{ dot: [lr, beta], size: 7, color: "vermilion", ring: true }],
          drag: (x, y) => ({ lr: live.nearest(RATES, x), beta: live.nearest(BETAS, y) }),
        },
        {
          title: choice,
          alt: `The path of 60 steps at ${choice} in a ravine of curvatures 1 and 40, from the upper left: ${outcome}.`,
          x: { label: "θ₁", from: -3.9, to: 2.2 },
          y: { label: "θ₂", from: -2, to: 2.2 },
          under: { key: "ravine", marks: contours },
          marks: [
            { line: path, dots: 2.2, width: 1.2, color: "vermilion", label: "_path" },
            { dot: [path[0].at(-1), path[1].at(-1)], size: 5, color: "vermilion" },
            { text: outcome, share: [0.03, 0.05] },
          ],
        },
      ];
    },
  });
}
