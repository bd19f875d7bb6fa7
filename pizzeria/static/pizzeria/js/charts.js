/* Draws the charts of the analytics page; each has its table, which stays without this. */
"use strict";

(() => {
  const figures = document.getElementById("chart-figures");
  if (!figures || !window.Chart) return;
  const { labels, revenue, orders, delivered, cancelled, statuses, status_orders, pizzas, pizza_revenue } =
    JSON.parse(figures.textContent);

  const charts = [];
  const colour = (token) => getComputedStyle(document.documentElement).getPropertyValue(token).trim();
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  const days = labels.map((label) =>
    new Date(`${label}T12:00:00`).toLocaleDateString("en-GB", { day: "numeric", month: "short" }),
  );

  // Lines differ in their dashes and points, too, not in colour alone.
  const line = (label, data, token, options = {}) => ({
    label,
    data,
    borderColor: colour(token),
    backgroundColor: `${colour(token)}33`,
    pointRadius: data.length > 60 ? 0 : 3,
    borderWidth: 2,
    ...options,
  });

  const axis = (ticks = {}) => ({
    beginAtZero: true,
    grid: { color: colour("--line") },
    ticks: { color: colour("--ash"), ...ticks },
  });

  const shared = () => ({
    animation: isCalm ? false : { duration: 250 },
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    plugins: { legend: { labels: { color: colour("--charcoal"), usePointStyle: true } } },
  });

  const inDollars = { callback: (value) => dollars.format(value).replace(".00", "") };

  const kinds = {
    revenue: () => ({
      type: "line",
      data: { labels: days, datasets: [line("Revenue", revenue, "--tomato", { fill: true })] },
      options: { ...shared(), scales: { x: axis(), y: axis(inDollars) }, plugins: { legend: { display: false } } },
    }),
    orders: () => ({
      type: "line",
      data: {
        labels: days,
        datasets: [
          line("Orders", orders, "--charcoal"),
          line("Delivered", delivered, "--basil", { borderDash: [6, 4], pointStyle: "rect" }),
          line("Cancelled", cancelled, "--tomato", { borderDash: [2, 3], pointStyle: "triangle" }),
        ],
      },
      options: { ...shared(), scales: { x: axis(), y: axis({ precision: 0 }) } },
    }),
    statuses: () => ({
      type: "bar",
      data: {
        labels: statuses,
        datasets: [{ label: "Orders", data: status_orders, backgroundColor: colour("--basil") }],
      },
      options: {
        ...shared(),
        indexAxis: "y",
        scales: { x: axis({ precision: 0 }), y: axis() },
        plugins: { legend: { display: false } },
      },
    }),
    pizzas: () => ({
      type: "bar",
      data: {
        labels: pizzas,
        datasets: [{ label: "Revenue", data: pizza_revenue, backgroundColor: colour("--tomato") }],
      },
      options: {
        ...shared(),
        indexAxis: "y",
        scales: { x: axis(inDollars), y: axis() },
        plugins: { legend: { display: false } },
      },
    }),
  };

  function draw() {
    charts.splice(0).forEach((chart) => chart.destroy());
    document.querySelectorAll("[data-chart]").forEach((canvas) => {
      charts.push(new window.Chart(canvas, kinds[canvas.dataset.chart]()));
    });
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
