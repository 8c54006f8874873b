// Lesson 16: the curve through 20 noisy points of a sine after so many steps of gradient descent.
"use strict";

{
  // The points of theory.early_stopping.noisy_sine.
  const X = [
    .94010600361311, .41563972879958, -.08123411374510, .84149536824392, .29004824024553, .58229578436061,
    -.64278764959850, -.29778475121214, .16268183961515, -.42352821572770, -.09426230223777,
    -.64640094759257, -.28946648332139, .24381049735906, -.03630319843658, -.11839900191128,
    -.18543685127112, -.58912281307683, .33007635150030, .56974780091024,
  ];
  const Y = [
    .30978681551997, 1.01109863490133, -.18814040829859, .32952479874206, 1.00352525387149, 1.04803525074481,
    -.89607992554437, -.78934645532371, .60704118682129, -.62004098914991, -.16831952270313,
    -.98906304808416, -.76741209173620, .60805319433824, -.60562182973481, -.07360560484173,
    -.18164781934667, -1.00656437555425, .24777913130713, 1.05670881352904,
  ];
  const COUNT = 25, N = X.length;
  const DECADES = live.range(121).map((k) => k / 20), GRID = live.linspace(-1, 1, 201);

  const waves = (x) => live.range(COUNT).map((k) => Math.cos((k * Math.PI * (x + 1)) / 2) / (1 + k));
  const dot = (a, b) => a.reduce((sum, v, k) => sum + v * b[k], 0);
  const WAVES = X.map(waves), ON_GRID = GRID.map(waves);

  // Curvatures and directions of a symmetric matrix, by Jacobi's turns: [h, columns].
  const eigen = (matrix) => {
    const a = matrix.map((row) => [...row]), n = a.length;
    const q = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
    for (let sweep = 0; sweep < 12; sweep++) {
      for (let i = 0; i < n - 1; i++) {
        for (let j = i + 1; j < n; j++) {
          if (a[i][j] === 0) continue;
          const ratio = (a[j][j] - a[i][i]) / (2 * a[i][j]);
          const t = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.hypot(ratio, 1));
          const c = 1 / Math.hypot(t, 1), s = t * c;
          for (let k = 0; k < n; k++) [a[k][i], a[k][j]] = [c * a[k][i] - s * a[k][j], s * a[k][i] + c * a[k][j]];
          for (let k = 0; k < n; k++) [a[i][k], a[j][k]] = [c * a[i][k] - s * a[j][k], s * a[i][k] + c * a[j][k]];
          for (let k = 0; k < n; k++) [q[k][i], q[k][j]] = [c * q[k][i] - s * q[k][j], s * q[k][i] + c * q[k][j]];
        }
      }
    }
    return [a.map((row, k) => row[k]), a.map((_, k) => q.map((row) => row[k]))];
  };
  const [H, DIRECTIONS] = eigen(WAVES.map((a) => WAVES.map((b) => dot(a, b) / N)));
  const PULL = DIRECTIONS.map((u) => dot(u, Y));
  const RATE = 1 / (2 * Math.max(...H));
  // what each direction adds to the curve on the grid, and at the points, once it has come all its way
  const PARTS = DIRECTIONS.map((u, k) => {
    const weights = live.range(COUNT).map((j) => (dot(u, WAVES.map((w) => w[j])) * PULL[k]) / (H[k] * N));
    return [ON_GRID, WAVES].map((rows) => rows.map((w) => dot(w, weights)));
  });

  const sum = (shares, which) => PARTS[0][which].map((_, i) => shares.reduce((total, share, k) => total + share * PARTS[k][which][i], 0));
  const error = (a, b) => a.reduce((total, v, k) => total + (v - b[k]) ** 2, 0) / a.length;
  const SINE = GRID.map((x) => Math.sin(3 * x));

  live.add("16_fit_after", {
    sliders: { decades: { name: "log₁₀ of the number of steps", values: DECADES, start: 2 } },
    scene({ decades }) {
      const steps = Math.round(10 ** decades);
      const shares = H.map((h) => 1 - Math.max(1 - 2 * RATE * h, 0) ** steps);
      const curve = sum(shares, 0), near = error(sum(shares, 1), Y), off = error(curve, SINE);
      const words = steps.toLocaleString("en-US");
      return [
        {
          title: `after ${words} steps`,
          alt: `The fitted curve after ${words} steps, 20 noisy points and the dashed sine: mean squared error ${live.g(near, 2)} on the points, ${live.g(off, 2)} to the sine.`,
          x: { label: "x", from: -1.02, to: 1.02 },
          y: { label: "y", from: -2.2, to: 2.2 },
          marks: [
            { line: [GRID, curve], color: "orange", width: 2.4, label: "_fit" },
            { points: [X, Y], size: 7, label: "_points" },
            { line: [GRID, SINE], dash: true, width: 1.2, label: "_sine" },
            { text: `error on points ${live.g(near, 2)}`, share: [0.03, 0.91] },
            { text: `to the sine ${live.g(off, 2)}`, share: [0.03, 0.84] },
          ],
        },
      ];
    },
  });
}
