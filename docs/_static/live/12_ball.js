// Lesson 12: a penalised minimum among the loss's contours and on the penalty's ball, and the weights' paths.
"use strict";

{
  const TARGET = [1.5, 0.6];
  const G = [[0.58, 0.16], [0.16, 0.32]];  // the loss is (θ − target)ᵀ G (θ − target)
  const STRENGTHS = live.logspace(-2, 0.6, 131);
  const CHOICES = live.union([0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3],
    live.logspace(-2, Math.log10(3), 90).map((strength) => Number(strength.toPrecision(3))));
  const SHARES = live.range(21).map((k) => k / 20);

  // Where the loss + l1 Σ|θ| + l2 Σθ² is least: one sign pattern after the other, then one weight at zero, then both.
  const minimum = (l1, l2) => {
    const pull = live.times(G, TARGET), a = G[0][0] + l2, b = G[0][1], d = G[1][1] + l2;
    for (const signs of [[1, 1], [1, -1], [-1, 1], [-1, -1]]) {
      const [u, v] = signs.map((sign, k) => pull[k] - (l1 * sign) / 2);
      const p = [(d * u - b * v) / (a * d - b * b), (a * v - b * u) / (a * d - b * b)];
      if (p.every((weight, k) => weight * signs[k] > 0)) return p;
    }
    for (const k of [0, 1]) {
      const rest = Math.max(Math.abs(pull[k]) - l1 / 2, 0), weight = (Math.sign(pull[k]) * rest) / (G[k][k] + l2);
      if (weight !== 0 && Math.abs(pull[1 - k] - b * weight) <= l1 / 2) return k ? [0, weight] : [weight, 0];
    }
    return [0, 0];
  };
  const paths = new Map();
  const path = (share) => {
    if (!paths.has(share)) paths.set(share, STRENGTHS.map((s) => minimum(share * s, (1 - share) * s)));
    return paths.get(share);
  };

  // All points with the penalty of p.
  const ball = (p, share) => {
    const level = share * (Math.abs(p[0]) + Math.abs(p[1])) + (1 - share) * (p[0] ** 2 + p[1] ** 2);
    const turns = live.range(145).map((k) => (k * Math.PI) / 72);
    const radii = turns.map((turn) => {
      const l1 = share * (Math.abs(Math.cos(turn)) + Math.abs(Math.sin(turn))), l2 = 1 - share;
      return (2 * level) / (l1 + Math.sqrt(l1 * l1 + 4 * l2 * level) || 1);
    });
    return [turns.map((turn, k) => radii[k] * Math.cos(turn)), turns.map((turn, k) => radii[k] * Math.sin(turn))];
  };

  const contours = () => [
    ...live.logspace(-1.9, 0.6, 11).map((level) => ({ line: live.ellipse(G, TARGET, level), color: "light", width: 1 })),
    { hline: 0, color: "light", width: 1 }, { vline: 0, color: "light", width: 1 },
    { dot: TARGET, shape: "star", size: 8 },
  ];

  live.add("12_ball", {
    sliders: {
      strength: { name: "strength", values: CHOICES, start: 0.7 },
      l1_share: { name: "share of L1", values: SHARES, start: 1 },
    },
    scene({ strength, l1_share: share }) {
      const all = path(share), here = all[STRENGTHS.indexOf(live.nearest(STRENGTHS, strength))];
      const zeros = ["no weight is zero", "one weight is zero", "both are zero"][here.filter((w) => w === 0).length];
      const choice = `Strength ${live.g(strength)}, share ${live.g(share)}`;
      const column = (k) => {
        const kept = all.map((p, i) => [STRENGTHS[i], p[k]]).filter(([, weight]) => weight !== 0);
        return [kept.map(([s]) => s), kept.map(([, weight]) => weight)];
      };
      const names = ["θ₁", "θ₂"], colors = ["blue", "purple"];
      const ends = names.map((name, k) => {
        const at = column(k)[0].at(-1);
        return at < STRENGTHS.at(-1) ? `${name} is zero beyond ${live.g(at, 2)}` : `${name} is never zero`;
      });
      return [
        {
          title: `${choice}: ${zeros}`,
          alt: `The loss's elliptical contours around a star, the penalty's ball around zero, and on its edge the solution (${here.map((w) => live.g(w, 2)).join(", ")}). ${choice}: ${zeros}.`,
          equal: true,
          x: { label: "θ₁", from: -1.3, to: 2.3, ticks: [-1, 0, 1, 2] },
          y: { label: "θ₂", from: -1.3, to: 1.5, ticks: [-1, 0, 1] },
          under: { key: "loss", marks: contours },
          marks: [
            { area: ball(here, share), color: "sky" },
            { line: [0, 1].map((k) => all.map((p) => p[k])), color: "vermilion", label: "_path" },
            { dot: here, color: "vermilion", size: 6.5, ring: true, label: "_here" },
          ],
        },
        {
          title: share > 0 && all.some((p) => p.includes(0)) ? "A line ends where its weight is zero" : "No line ends: no weight is zero",
          alt: `Both weights against the strength, with a mark at ${live.g(strength)}: ${ends.join(", ")}.`,
          x: { label: "strength", log: true, from: 0.0085, to: 4.7 },
          y: { label: "weight", from: -0.05, to: 1.65 },
          marks: [
            { vline: strength, color: "vermilion" },
            ...names.flatMap((name, k) => [
              { line: column(k), color: colors[k], label: `_${name}` },
              { text: name, at: [STRENGTHS[0], all[0][k] - 0.12], color: colors[k], dy: 4 },
            ]),
          ],
          drag: (x) => ({ strength: live.nearest(CHOICES, x) }),
        },
      ];
    },
  });
}
