// Addresses and colours: which page is shown, light or dark.

const report = document.getElementById("report");
const title = document.title;

function showDetail(parts, name) {
  detail.replaceChildren(...parts);
  report.hidden = true;
  detail.hidden = false;
  document.title = `${name} · ${title}`;
  scrollTo(0, 0);
  detail.focus({ preventScroll: true });
}

function showReport(anchor) {
  const back = report.hidden;
  detail.hidden = true;
  report.hidden = false;
  document.title = title;
  if (back || anchor.includes("?")) document.getElementById(anchor.split("?")[0])?.scrollIntoView();
}

function route() {
  const hash = location.hash.slice(1);
  const [, what, encoded] = /^(codec|trace)=(.*)$/.exec(hash) ?? [];
  if (!what) {
    const [section, query] = hash.split("?");
    if (section === "board" && query !== undefined) {
      setFilters(Object.fromEntries(new URLSearchParams(query)));
      drawBoard();
    }
    showReport(hash);
    return;
  }
  let name = encoded;
  try { name = decodeURIComponent(encoded); } catch { /* an address that is none names nothing */ }
  const number = (what === "codec" ? codecNumber : traceNumber).get(name);
  const makePage = what === "codec" ? codecPage : tracePage;
  showDetail(number === undefined ? missingPage(what, name) : makePage(number), name);
}

function startTheme() {
  const root = document.documentElement;
  try { root.dataset.theme = localStorage.getItem("theme") ?? ""; } catch { /* no storage: nothing is kept */ }
  if (!root.dataset.theme) delete root.dataset.theme;
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* likewise */ }
    recolour();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

startTheme();
document.querySelectorAll("table[data-sortable]").forEach(enhance);
startBoard();
startTraces();
startCharts();
addEventListener("hashchange", route);
route();
document.documentElement.dataset.ready = "yes";
