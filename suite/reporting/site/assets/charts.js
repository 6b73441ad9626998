// Charts: drawn when they come near the screen, again when the colours change.

const themes = JSON.parse(document.getElementById("themes").textContent);
const isDark = () => {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

// Labels inside a narrow chart would hide its points; the names stand below it or in the tooltips.
function adaptToPhone(spec, width) {
  if (spec.usermeta?.rows) {  // these have lines of their own
    for (const { mark } of spec.layer) if (mark.type === "text") mark.limit = width - 60;
    return;
  }
  if (spec.height) spec.height = 320;
  if (spec.layer) spec.layer = spec.layer.filter((layer) => layer.mark.type !== "text");
  const names = spec.hconcat?.[0].encoding.y.axis;
  if (names) names.labelLimit = 130;
}

async function drawChart(holder) {
  const { spec, fluid } = data.charts[holder.dataset.chart];
  const config = structuredClone(isDark() ? themes.dark : themes.light);
  const narrow = holder.clientWidth < 560;
  if (narrow) config.legend.columns = 1;
  const drawn = structuredClone(spec);
  if (fluid) {
    Object.assign(drawn, { width: "container", autosize: { type: "fit-x", contains: "padding" } });
  }
  if (narrow) adaptToPhone(drawn, holder.clientWidth);
  const options = {
    config, renderer: "svg", tooltip: { theme: isDark() ? "dark" : "light" },
    actions: { export: true, source: false, compiled: false, editor: false }, downloadFileName: holder.dataset.chart,
  };
  const { view } = await window.vegaEmbed(holder, drawn, options);
  view.addEventListener("click", (_, item) => {
    const codec = item?.mark?.marktype !== "group" && item?.datum?.codec;
    if (codec && codecNumber.has(codec)) location.hash = `codec=${encodeURIComponent(codec)}`;
  });
  holder.dataset.drawn = "yes";
}

function startCharts() {
  const holders = [...document.querySelectorAll("[data-chart]")];
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !target.dataset.drawn) {
        near.unobserve(target);
        drawChart(target);
      }
    }
  }, { rootMargin: "400px" });
  holders.forEach((holder) => near.observe(holder));
}

function recolour() {
  for (const holder of document.querySelectorAll("[data-drawn]")) drawChart(holder);
}
