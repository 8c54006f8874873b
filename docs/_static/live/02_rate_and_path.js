// Lesson 02: the factor of each curvature for one step size, and where that step size goes in a ravine.
"use strict";

{
  const MU = 1, L = 20, START = [-3.4, 1.9], STEPS = 40;
  const A = live.turned(MU, L, -0.35);
  const BEST = 1.905;  // in units of 1/L, as all step sizes here
  const SHARES = live.union(live.range(210).map((k) => (k + 1) / 100), [BEST]);
  const CURVATURES = live.linspace(0, 1.04 * L, 300);

  const descend = (share) => {
    let p = START;
    const xs = [p[0]], ys = [p[1]];
    for (let t = 0; t < STEPS; t++) {
      const g = live.times(A, p);
      p = [p[0] - (share / L) * g[0], p[1] - (share / L) * g[1]];
      xs.push(live.clamp(p[0], -50, 50));
      ys.push(live.clamp(p[1], -50, 50));
    }
    return [xs, ys];
  };

  const contours = () => [
    ...live.logspace(-2.2, 2.2, 13).map((height) => (
      { line: live.ellipse(A, [0, 0], 2 * height), color: "light", width: 1 })),
    { dot: [0, 0], shape: "star", size: 8 },
  ];

  live.add("02_rate_and_path", {
    sliders: { share: { name: "step size η, in units of 1/L", values: SHARES, start: BEST } },
    scene({ share }) {
      const steep = Math.abs(1 - share), flat = Math.abs(1 - (share * MU) / L), worst = Math.max(steep, flat);
      const path = descend(share), color = worst > 1 + 1e-12 ? "vermilion" : "blue";
      let verdict = Math.abs(worst - 1) > 1e-12 ? `${worst.toFixed(3)} per step` : "it swings for ever";
      if (worst > 1 + 1e-12) verdict = "it diverges";
      const slower = Math.abs(steep - flat) < 2e-3 ? "both ends are as fast" : steep > flat ? "the steep end, L, is the slower one" : "the flat end, μ, is the slower one";
      const end = (at, name, height) => [
        { dot: [at, height], size: 6, color },
        { text: name, at: [at, height], anchor: "middle", dy: 22 },
      ];
      return [
        {
          title: "Factor of each direction",
          alt: `The factor |1 − ηλ| against the curvature λ: ${flat.toFixed(3)} at μ and ${steep.toFixed(3)} at L; ${slower}.`,
          x: { label: "curvature λ", from: -0.5, to: 1.08 * L },
          y: { label: "|1 − ηλ|", from: 0, to: 1.3 },
          under: { key: "one", marks: () => [{ hline: 1, dash: true }] },
          marks: [
            { line: [CURVATURES, CURVATURES.map((c) => Math.abs(1 - (share / L) * c))], width: 1.4, color: "grey", label: "_factor" },
            ...end(MU, "μ", flat), ...end(L, "L", steep),
          ],
        },
        {
          title: `η = ${live.g(share)}/L: ${verdict}`,
          alt: `The path of 40 steps in a ravine with κ = 20, from the upper left, at η = ${live.g(share)}/L: ${verdict}.`,
          share: 1.25,
          x: { label: "θ₁", from: -4.4, to: 3 },
          y: { label: "θ₂", from: -2.2, to: 2.6 },
          under: { key: "ravine", marks: contours },
          marks: [
            { line: path, dots: 2.2, width: 1.2, color, label: "_path" },
            { dot: [path[0].at(-1), path[1].at(-1)], size: 5, color },
            { dot: START, size: 5 },
          ],
        },
      ];
    },
  });
}
