// Lesson 06: gradient descent and AdaGrad down one valley, which can be turned.
"use strict";

{
  const STEPS = 600, SHOWN = 41, SHARE = 1e-6, EPS = 1e-10;
  const KAPPAS = live.union([10, 30, 100], live.range(19).map((k) => 10 + 5 * k));
  const RATES = live.union([0.5, 1, 2, 4, 8], live.logspace(Math.log10(0.25), 1, 41).map((rate) => Number(rate.toPrecision(2))));

  const down = (A, start, step) => {
    const path = [start];
    for (let t = 0; t < STEPS; t++) path.push(step(path[t], live.times(A, path[t])));
    return path;
  };
  const gradientDescent = (lr) => (p, g) => [p[0] - lr * g[0], p[1] - lr * g[1]];
  const adagrad = (lr) => {
    const sum = [0, 0];
    return (p, g) => p.map((at, k) => {
      sum[k] += g[k] * g[k];
      return at - (lr * g[k]) / (Math.sqrt(sum[k]) + EPS);
    });
  };

  // Steps until the height stays below a share of the first one; null where the path is too short.
  const stepsDown = (A, path) => {
    const heights = path.map((p) => { const g = live.times(A, p); return (p[0] * g[0] + p[1] * g[1]) / 2; });
    const last = heights.findLastIndex((height) => height > SHARE * heights[0]) + 1;
    return last < heights.length ? last : null;
  };

  live.add("06_one_valley", {
    sliders: {
      degrees: { name: "floor turned by, °", values: live.range(91), start: 10 },
      kappa: { name: "condition number κ", values: KAPPAS, start: 100 },
      rate: { name: "AdaGrad's rate", values: RATES, start: 1 },
    },
    scene({ degrees, kappa, rate }) {
      const turn = (degrees * Math.PI) / 180, c = Math.cos(turn), s = Math.sin(turn);
      const A = live.turned(1, kappa, turn), start = [-3.5 * c - 0.5 * s, -3.5 * s + 0.5 * c];
      const runs = [["gradient descent", gradientDescent(2 / (1 + kappa)), "grey"], ["AdaGrad", adagrad(rate), "orange"]];
      const found = runs.map(([name, step, color], k) => {
        const path = down(A, start, step), steps = stepsDown(A, path);
        const shown = path.slice(0, SHOWN), words = `${name}: ${steps === null ? `more than ${STEPS}` : steps} steps down`;
        return { words, marks: [
          { line: [shown.map((p) => p[0]), shown.map((p) => p[1])], dots: 2.2, width: 1.2, color, label: `_${name}` },
          { dot: shown.at(-1), size: 5, color },
          { text: words, share: [0.02, 0.94 - 0.08 * k], color },
        ] };
      });
      return [{
        title: `Floor turned by ${live.g(degrees)}°`,
        alt: `A valley with κ = ${live.g(kappa)} and its floor turned by ${live.g(degrees)}°, with the first ${SHOWN - 1} steps of two paths. ${found.map((one) => one.words).join("; ")}.`,
        equal: true,
        x: { label: "θ₁", from: -4, to: 1.6 },
        y: { label: "θ₂", from: -3.6, to: 1.8 },
        under: { key: `${degrees} ${kappa}`, marks: () => live.logspace(-2.2, Math.log10(8 * kappa), 13).map((height) => (
          { line: live.ellipse(A, [0, 0], 2 * height), color: "light", width: 1 })) },
        marks: [...found.flatMap((one) => one.marks), { dot: [0, 0], shape: "star", size: 8 }],
      }];
    },
  });
}
