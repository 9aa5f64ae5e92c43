#include "service/console.h"

namespace crossover::service {
namespace {

constexpr const char* kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Crossover</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --soft: #8882; --good: #1a7f4b; --bad: #c0392b; --accent: #2563eb; }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem; }
  h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
  header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; flex-wrap: wrap; }
  .quiet { opacity: .65; font-size: .85rem; }
  ol.modes { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem; margin: 1.25rem 0 .25rem; }
  ol.modes li { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .75rem; }
  ol.modes li b { display: block; } ol.modes li.now { border-color: var(--accent); background: #2563eb22; }
  .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .5rem; }
  .figure { background: var(--soft); border-radius: .5rem; padding: .75rem; }
  .figure b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
  .bad b { color: var(--bad); } .good b { color: var(--good); }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { text-align: right; padding: .35rem .5rem; border-bottom: 1px solid var(--line); }
  th:first-child, td:first-child { text-align: left; }
  ol.three { grid-template-columns: repeat(3, 1fr); margin-top: .5rem; }
  #trouble, #refused { color: var(--bad); min-height: 1.5em; }
  @media (max-width: 40rem) { ol.modes { grid-template-columns: 1fr 1fr; } }
</style>
</head>
<body>
<header><h1>Crossover recommendation-engine</h1><span class="quiet" id="replica"></span></header>
<ol class="modes">
  <li id="neo4j_only"><b>neo4j_only</b><span class="quiet">all in Neo4j</span></li>
  <li id="dual_write"><b>dual_write</b><span class="quiet">writes reach Milvus too</span></li>
  <li id="shadow_milvus"><b>shadow_milvus</b><span class="quiet">Milvus answers, Neo4j stands by</span></li>
  <li id="hybrid"><b>hybrid</b><span class="quiet">vectors in Milvus, graph in Neo4j</span></li>
</ol>
<div class="quiet" id="from"></div>
<p id="trouble" role="status"></p>
<div class="figures" id="figures"></div>
<h2>Searches</h2>
<table><thead><tr><th>store</th><th>answered</th><th>mean</th><th>half within</th><th>95 % within</th></tr></thead>
<tbody id="searches"></tbody></table>
<section id="learning" hidden>
<h2>Learning (AgentDB)</h2>
<ol class="modes three">
  <li id="redis"><b>redis</b><span class="quiet">all in Redis</span></li>
  <li id="dual"><b>dual</b><span class="quiet">writes reach PostgreSQL too</span></li>
  <li id="postgres"><b>postgres</b><span class="quiet">all in PostgreSQL</span></li>
</ol>
<div class="quiet" id="learning_from"></div>
<p id="refused" role="status"></p>
<div class="figures" id="learning_figures"></div>
</section>
<h2>Errors of servers</h2>
<table><thead><tr><th>server</th><th>kind</th><th>count</th></tr></thead><tbody id="errors"></tbody></table>
<script>
const show = (id, text) => { document.getElementById(id).textContent = text; };
const number = value => value.toLocaleString("en", {maximumFractionDigits: 1});

async function ask(path) {
  const token = sessionStorage.getItem("token");
  const answer = await fetch(path, {headers: token ? {Authorization: "Bearer " + token} : {}, cache: "no-store"});
  if (answer.status === 401) {
    const given = prompt("This service wants a bearer token:");
    if (given === null) throw new Error("a bearer token is needed; reload the page to give it");
    sessionStorage.setItem("token", given);
    return ask(path);
  }
  if (!answer.ok) throw new Error(path + " was answered " + answer.status);
  return answer.text();
}

function parse(text) {
  return text.split("\n").filter(line => line && !line.startsWith("#")).map(line => {
    const at = line.lastIndexOf(" ");
    const [, name, labels] = line.slice(0, at).match(/^(\w+)(?:\{(.*)\})?$/) || [];
    const found = {};
    for (const [, key, value] of (labels || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) found[key] = value;
    return {name, labels: found, value: Number(line.slice(at + 1))};
  });
}

function rows(id, table) {
  const body = document.getElementById(id);
  body.replaceChildren(...table.map(cells => {
    const row = document.createElement("tr");
    row.append(...cells.map(text => Object.assign(document.createElement("td"), {textContent: text})));
    return row;
  }));
}

function quantile(buckets, count, share) {
  const found = buckets.find(bucket => bucket.value >= share * count);
  const bound = found ? found.labels.le : "+Inf";
  return bound === "+Inf" ? "over 5 s" : number(1000 * Number(bound)) + " ms";
}

function searches(metrics) {
  const of = (store, what) => metrics.filter(one => one.name === "crossover_search_duration_seconds_" + what && one.labels.store === store);
  return ["neo4j", "milvus"].filter(store => of(store, "count").length).map(store => {
    const count = of(store, "count")[0].value, buckets = of(store, "bucket");
    return [store, number(count), number(1000 * of(store, "sum")[0].value / count) + " ms",
            quantile(buckets, count, .5), quantile(buckets, count, .95)];
  });
}

const sum = (metrics, name, labels = {}) => metrics.filter(one => one.name === name && Object.entries(labels).every(([k, v]) => one.labels[k] === v))
  .reduce((total, one) => total + one.value, 0);

function boxes(id, all) {
  document.getElementById(id).replaceChildren(...all.map(([what, value, kind]) => {
    const box = Object.assign(document.createElement("div"), {className: "figure " + kind});
    box.append(Object.assign(document.createElement("b"), {textContent: value}), what);
    return box;
  }));
}

const mark = (modes, now) => modes.forEach(mode => document.getElementById(mode).classList.toggle("now", mode === now));
const owed = depth => depth === null ? "unknown" : number(depth);

function storage(status, metrics) {
  mark(["neo4j_only", "dual_write", "shadow_milvus", "hybrid"], status.storage_mode);
  show("from", "The mode comes from: " + status.storage_mode_from);
  const compared = sum(metrics, "crossover_shadow_overlap_count");
  boxes("figures", [
    ["changes owed to Milvus", owed(status.outbox_depth), status.outbox_depth ? "" : "good"],
    ["age of the oldest", number(status.outbox_oldest_seconds) + " s", status.outbox_oldest_seconds > 60 ? "bad" : ""],
    ["Milvus", status.storage_mode === "neo4j_only" ? "not asked" : status.milvus_asked ? "answers" : "away", status.milvus_asked ? "" : "bad"],
    ["brought at once", number(sum(metrics, "crossover_dual_write_total", {result: "success"})), ""],
    ["brought later", number(sum(metrics, "crossover_reconciled_total")), ""],
    ["same in both stores", compared ? number(100 * sum(metrics, "crossover_shadow_overlap_sum") / compared) + " %" : "–", ""],
    ["fell back to Neo4j", number(sum(metrics, "crossover_search_fallback_total")), ""],
  ]);
}

function learning(status, metrics) {
  const mode = status.agentdb_mode, failures = sum(metrics, "crossover_feedback_total", {result: "failure"});
  document.getElementById("learning").hidden = mode === null;
  if (mode === null) return;
  mark(["redis", "dual", "postgres"], mode);
  show("learning_from", (status.agentdb_wanted === mode ? "" : "Turning to " + status.agentdb_wanted + ". ") +
       "The mode comes from: " + status.agentdb_mode_from);
  show("refused", status.agentdb_refused || "");
  boxes("learning_figures", [
    ["primary", status.agentdb_primary || "unknown", ""],
    ["keys owed to PostgreSQL", owed(status.agentdb_owed), status.agentdb_owed ? "" : "good"],
    ["feedback recorded", number(sum(metrics, "crossover_feedback_total", {result: "recorded"})), ""],
    ["feedback refused", number(failures), failures ? "bad" : ""],
  ]);
}

async function refresh() {
  try {
    const status = JSON.parse(await ask("status"));
    const metrics = parse(await ask("metrics"));
    show("replica", status.replica + " · " + status.version);
    storage(status, metrics);
    learning(status, metrics);
    const found = searches(metrics);
    rows("searches", found.length ? found : [["none yet", "", "", "", ""]]);
    const errors = metrics.filter(one => one.name === "crossover_errors_total" && one.value > 0);
    rows("errors", errors.length ? errors.map(one => [one.labels.system, one.labels.kind, number(one.value)]) : [["none", "", ""]]);
    show("trouble", "");
  } catch (error) {
    show("trouble", "Not fresh: " + error.message);
  }
  setTimeout(refresh, 2000);
}
refresh();
</script>
</body>
</html>
)html";

}  // namespace

http::Response console_page() {
    return {.status = 200,
            .content_type = "text/html; charset=utf-8",
            .body = kPage,
            .headers = {{"Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                         "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"},
                        {"X-Content-Type-Options", "nosniff"}}};
}

}  // namespace crossover::service
