// Search by section, in the page, also from a folder: MiniSearch ranks what search_sections.js holds.
// Each of its entries is [address, title, page, weight, text]. Without a document only `courseSearch` is defined.
"use strict";

globalThis.courseSearch = (() => {
  // docs/words.toml says what each group and each short form is.
  const { same, asked: short } = globalThis.courseWords || { same: [], asked: {} };
  const SHORT = new Map(Object.entries(short));
  const LETTERS = new Map(Object.entries({ "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ρ": "rho", "σ": "sigma", "τ": "tau", "ω": "omega" }));
  const EMPTY = new Set(("a an and are as at be but by can do does for from has have how i if in into is it its me my not of on " +
    "or should so that the their then there these this to too was we what when where which who why will with you your").split(" "));

  const plain = (text) =>
    ` ${text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/['’]s\b/g, "").replace(/(?<=[a-z])iz(?=[eai])/g, "is")
      .replace(/[^\p{L}\p{N}]+/gu, " ").trim()} `;
  const ways = same.map((group) => group.map(plain));
  const words = (text) => {
    let line = plain(text);
    for (const [one, ...others] of ways) for (const other of others) if (line.includes(other)) line = line.split(other).join(one);
    return line.trim().split(" ").map((word) => LETTERS.get(word) || word).filter((word) => word && !EMPTY.has(word));
  };

  // The stem, roughly: "averages", "averaging" and "averaged" are one word.
  const stem = (word) => {
    let short = word.replace(/(?:ations?|ings?|ed|es|(?<!s|u|i)s|e)$/, "");
    if (short.length < 3) return word;
    if (/([bdgmnprt])\1$/.test(short)) short = short.slice(0, -1);
    return short.replace(/y$/, "i");
  };

  const asked = (question) => {
    const found = plain(question).trim().split(" ").map((word) => SHORT.get(word) || word);
    return words(found.join(" "));
  };

  const build = (sections, Index = globalThis.MiniSearch) => {
    const index = new Index({
      fields: ["title", "page", "text"],
      tokenize: words,
      processTerm: stem,
      searchOptions: {
        tokenize: (question) => asked(question),
        boost: { title: 3, page: 2 },
        prefix: (term) => term.length > 3,
        fuzzy: (term) => (term.length > 5 ? 0.15 : false),
        weights: { prefix: 0.3, fuzzy: 0.15 },
        boostDocument: (id) => sections[id][3],
      },
    });
    index.addAll(sections.map(([, title, page, , text], id) => ({ id, title, page: page === title ? "" : page, text })));
    return index;
  };

  // The sections that answer best: those with all words first, each with the words that were found in it.
  const find = (index, sections, question) => {
    const wanted = new Set(asked(question).map(stem));
    const share = (hit) => new Set(hit.queryTerms).size / Math.max(wanted.size, 1);
    const hits = index.search(question).map((hit) => ({ section: sections[hit.id], terms: hit.terms, score: hit.score * share(hit) ** 2 }));
    return hits.sort((a, b) => b.score - a.score);
  };

  // The piece of the text around the first of the words, as [text, whether it is one of them].
  const snippet = (text, terms, length = 230) => {
    const found = new Set(terms);
    const pieces = text.split(/([\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*)/u);
    const marks = pieces.map((piece, k) => k % 2 === 1 && words(piece).some((word) => found.has(stem(word))));
    let best = 0, most = -1;
    const places = [];
    let place = 0;
    for (const piece of pieces) { places.push(place); place += piece.length; }
    for (let k = 0; k < pieces.length; k++) {
      if (!marks[k]) continue;
      let count = 0;
      for (let j = k; j < pieces.length && places[j] < places[k] + length - 60; j++) count += marks[j];
      if (count > most) { most = count; best = k; }
    }
    let from = best;
    while (from > 0 && places[best] - places[from - 1] < 60) from--;
    const shown = [];
    for (let k = from; k < pieces.length && places[k] < places[from] + length; k++) shown.push([pieces[k], marks[k]]);
    if (from > 0) shown.unshift(["… ", false]);
    if (from + shown.length < pieces.length) shown.push([" …", false]);
    return shown;
  };

  return { words, stem, asked, build, find, snippet };
})();

if (typeof document !== "undefined") {
  const list = document.getElementById("search-results");
  const count = document.getElementById("search-count");
  const input = list.closest("article").querySelector("input[type=search]");
  const sections = globalThis.courseSections;
  const index = courseSearch.build(sections);
  const SHOWN = 20;

  const show = (question) => {
    const hits = question.trim() ? courseSearch.find(index, sections, question) : [];
    list.replaceChildren(...hits.slice(0, SHOWN).map(({ section: [address, title, page, , text], terms }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = address;
      link.textContent = title === page ? title : `${page} › ${title}`;
      const body = document.createElement("p");
      for (const [piece, marked] of courseSearch.snippet(text, terms))
        body.append(marked ? Object.assign(document.createElement("mark"), { textContent: piece }) : piece);
      item.append(link, body);
      return item;
    }));
    count.textContent = !question.trim() ? "" : !hits.length ? "Nothing found. The glossary may have another word for it."
      : hits.length > SHOWN ? `The best ${SHOWN} of ${hits.length} sections` : `${hits.length} section${hits.length > 1 ? "s" : ""}`;
  };

  const question = new URLSearchParams(location.search).get("q") || "";
  input.value = question;
  show(question);
  input.focus();
  input.addEventListener("input", () => {
    show(input.value);
    history.replaceState(null, "", input.value ? `?q=${encodeURIComponent(input.value)}` : location.pathname);
  });
  input.closest("form").addEventListener("submit", (event) => event.preventDefault());
}
