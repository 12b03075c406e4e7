// Shows the curve's values under the pointer. The page is whole without it.
(() => {
  const [up, right, threshold] = JSON.parse(document.getElementById("curve").textContent);
  const tip = document.querySelector(".tip");
  const percent = (share) => (share * 100).toFixed(1) + " %";
  for (const chart of document.querySelectorAll("svg.chart")) {
    const at = Object.fromEntries(Object.entries(chart.dataset).map(([name, text]) => [name, Number(text)]));
    const [line, dot] = chart.querySelectorAll(".cursor");
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const scale = chart.viewBox.baseVal.width / box.width;
      const share = ((event.clientX - box.left) * scale - at.left) / (at.right - at.left);
      let i = 0;
      up.forEach((value, j) => { if (Math.abs(value - share) < Math.abs(up[i] - share)) i = j; });
      const x = at.left + up[i] * (at.right - at.left);
      const y = at.bottom - (right[i] - at.low) / (at.high - at.low) * (at.bottom - at.top);
      line.setAttribute("transform", `translate(${x} 0)`);
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
      chart.classList.add("on");
      tip.hidden = false;
      tip.textContent = `${percent(up[i])} go up, ${percent(right[i])} right, threshold ${threshold[i]}`;
    });
    chart.addEventListener("pointerleave", () => { chart.classList.remove("on"); tip.hidden = true; });
  }
})();
