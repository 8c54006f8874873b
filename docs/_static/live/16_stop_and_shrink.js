// Lesson 16: stopping beside ridge, by curvature and in the plane of two weights.
"use strict";

{
  const RATE = 0.25, CURVATURES = [1, 0.05], TARGET = [1, 2];
  const STEPS = live.union([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], live.logspace(0, 3, 121).map(Math.round));
  const MATCHES = live.union([0.5, 1, 2, 4], live.logspace(Math.log10(0.25), Math.log10(8), 61).map((m) => Number(m.toPrecision(3))));
  const H = live.logspace(-5, 0, 200);

  const stopped = (h, steps) => 1 - Math.max(1 - 2 * RATE * h, 0) ** steps;
  const ridge = (h, l2) => h / (h + l2);
  const plane = (share, way) => CURVATURES.map((h, k) => way.map((at) => TARGET[k] * share(h, at)));
  const WAYS = [plane(stopped, live.logspace(-1.3, 3.3, 160)), plane(ridge, live.logspace(3, -5, 160))];

  const bowl = () => [
    ...[0.01, 0.04, 0.1, 0.2, 0.4, 0.8].map((level) => (
      { line: live.ellipse([[1, 0], [0, 0.05]], TARGET, level), color: "light", width: 1 })),
    { line: WAYS[0], color: "orange", width: 1.4 },
    { line: WAYS[1], color: "blue", width: 1.4 },
    { dot: TARGET, shape: "star", size: 8 },
  ];

  live.add("16_stop_and_shrink", {
    sliders: {
      steps: { name: "steps t", values: STEPS, start: 20 },
      match: { name: "match m, in λ₂ = 1/(2mηt)", values: MATCHES, start: 1 },
    },
    scene({ steps, match }) {
      const l2 = 1 / (2 * match * RATE * steps);
      const places = [plane(stopped, [steps]), plane(ridge, [l2])];
      const colors = ["orange", "blue"], said = [`stopped, t = ${live.g(steps)}`, `ridge, λ₂ = ${live.g(l2, 3)}`];
      const [a, b] = places.map(([[x], [y]]) => `(${live.g(x, 2)}, ${live.g(y, 2)})`);
      const gaps = H.map((h) => stopped(h, steps) - ridge(h, l2)), widest = Math.max(...gaps.map(Math.abs));
      return [
        {
          title: "The flat directions are held back",
          alt: `Share of the way against curvature, ${said.join(" and ")}: both fall towards flat directions, and they are ${live.g(widest, 2)} apart at most.`,
          share: 1.2,
          x: { label: "curvature h", log: true, from: 1e-5, to: 1 },
          y: { label: "share of the way", from: -0.03, to: 1.06 },
          marks: [
            { line: [H, H.map((h) => stopped(h, steps))], color: "orange", label: "_stopped" },
            { line: [H, H.map((h) => ridge(h, l2))], color: "blue", label: "_ridge" },
            { text: said[0], share: [0.03, 0.9], color: "orange" },
            { text: said[1], share: [0.03, 0.81], color: "blue" },
          ],
        },
        {
          title: "Two ways from zero to the minimum",
          alt: `Both ways start along the steep weight and turn up the flat one. After t = ${live.g(steps)} stopping is at ${a}, ridge at ${b}; the minimum is (1, 2).`,
          x: { label: "θ₁ (steep)", from: -0.15, to: 1.4, ticks: [0, 0.5, 1] },
          y: { label: "θ₂ (flat)", from: -0.3, to: 2.4, ticks: [0, 1, 2] },
          under: { key: "bowl", marks: bowl },
          marks: places.map(([[x], [y]], k) => ({ dot: [x, y], size: 6.5, color: colors[k], label: "_now" })),
        },
      ];
    },
  });
}
