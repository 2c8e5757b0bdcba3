/* How report.html of a gauntlet looks: the sibling of a run's page, in its colours (Okabe and Ito's, which
 * the colour-blind tell apart; nothing is told by colour alone). On a phone the rows of a table are
 * cards. */
#include "gauntlet/report_style.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

static const char wide[] =
    ":root{color-scheme:light dark;--paper:#f6f7f9;--panel:#fff;--ink:#16191d;--soft:#444c56;"
    "--quiet:#656d76;--edge:#d8dee4;--grid:#e6e9ee;--good:#00694e;--good-tint:#e2f3ec;"
    "--bad:#b23c00;--bad-tint:#fdeee6;--warn:#7a5200;--warn-tint:#fdf3dc;--vermillion:#d55e00;"
    "--orange:#e69f00}"
    "@media screen and (prefers-color-scheme:dark){:root{--paper:#0e1116;--panel:#161b22;"
    "--ink:#e8ecf1;--soft:#bcc5cf;--quiet:#949da7;--edge:#2c333c;--grid:#262d36;--good:#4cc9a0;"
    "--good-tint:#10281f;--bad:#ff9762;--bad-tint:#331b0f;--warn:#f0c14b;--warn-tint:#2d230c;"
    "--vermillion:#f07b2e;--orange:#f0b232}}"
    "*,*::before,*::after{box-sizing:border-box}"
    "html{-webkit-text-size-adjust:100%}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"
    "-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"Noto Sans\",\"Liberation Sans\",Arial,"
    "sans-serif;font-variant-numeric:tabular-nums}"
    "main{max-width:1180px;margin:0 auto;padding:clamp(1rem,3vw,2.25rem)}"
    "h1,h2,h3,p,dl,dd,ul{margin:0;padding:0}"
    "h1{font-size:clamp(1.4rem,1rem + 2vw,2rem);line-height:1.2;letter-spacing:-.015em;"
    "overflow-wrap:anywhere}"
    "h2{font-size:1.25rem;line-height:1.3;letter-spacing:-.01em}"
    "code{font:.9em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\","
    "\"Liberation Mono\",monospace;overflow-wrap:anywhere}"
    ".brand{color:var(--quiet);font-weight:600;letter-spacing:.02em;font-size:.85rem}"
    ".quiet{color:var(--quiet);font-size:.88rem}"
    ".command{display:block;margin-top:.5rem;padding:.4rem .6rem;background:var(--panel);"
    "border:1px solid var(--edge);border-radius:6px}";

static const char blocks[] =
    ".verdict{display:flex;gap:1rem 1.5rem;align-items:center;margin-top:1.1rem;"
    "padding:1.1rem 1.4rem;border-radius:10px;border-left:6px solid var(--tone);"
    "background:var(--tint)}"
    ".good{--tone:var(--good);--tint:var(--good-tint)}"
    ".bad{--tone:var(--bad);--tint:var(--bad-tint)}"
    ".warn{--tone:var(--warn);--tint:var(--warn-tint)}"
    ".word{color:var(--tone);font-size:2rem;font-weight:750;line-height:1}"
    ".sentence{flex:1;font-size:1.08rem;line-height:1.45;overflow-wrap:anywhere}"
    ".tiles{display:flex;flex-wrap:wrap;gap:1px;margin-top:1rem;background:var(--edge);"
    "border:1px solid var(--edge);border-radius:10px;overflow:hidden}"
    ".tile{flex:1 1 9.2rem;padding:.75rem 1rem;background:var(--panel)}"
    ".tile dt{color:var(--quiet);font-size:.82rem}"
    ".big{display:block;font-size:1.45rem;font-weight:650;line-height:1.3;white-space:nowrap}"
    ".tile .quiet{display:block;font-size:.82rem;line-height:1.35}"
    "section{margin-top:2.5rem}"
    ".lead{margin-top:.2rem;color:var(--soft)}"
    ".panel{margin-top:1rem;padding:.75rem 1.25rem;background:var(--panel);"
    "border:1px solid var(--edge);border-radius:10px}"
    ".panel.bad{border-left:4px solid var(--vermillion)}"
    ".panel.warn{border-left:4px solid var(--orange)}"
    "table{border-collapse:collapse;width:100%;font-size:.88rem}"
    "th,td{padding:.4rem .75rem .4rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--grid);overflow-wrap:anywhere}"
    "thead th{color:var(--quiet);font-weight:500}"
    "tbody th{font-weight:600}"
    "tbody tr:last-child>*{border-bottom:0}"
    "td .quiet{display:block}"
    ".number{text-align:right;white-space:nowrap}"
    ".keep{white-space:nowrap}"
    "details{margin-top:1rem}summary{cursor:pointer;color:var(--soft)}"
    ".tag{display:inline-block;padding:0 .55rem;border:1px solid var(--edge);border-radius:1rem;"
    "color:var(--soft);font-size:.82rem;white-space:nowrap}"
    ".tag.bad,.tag.warn,.tag.good{border-color:var(--tone);color:var(--tone)}"
    ".facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}"
    ".facts dt{color:var(--quiet);font-size:.88rem;line-height:1.7}"
    ".facts dd{min-width:0;overflow-wrap:anywhere}"
    "ul{padding-left:1.1rem}"
    "li{margin-top:.3rem;overflow-wrap:anywhere}"
    "footer{margin-top:3rem;color:var(--quiet);font-size:.85rem}";

static const char narrow[] =
    "@media screen and (max-width:42rem){"
    ".verdict{flex-direction:column;align-items:flex-start;padding:1rem 1.1rem}"
    ".tile{flex-basis:40%}"
    ".panel{padding-left:.9rem;padding-right:.9rem}"
    "table.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;"
    "clip-path:inset(50%)}"
    "table.cards,table.cards tbody,table.cards tr,table.cards th,table.cards td{display:block}"
    "table.cards tr{padding:.6rem 0;border-bottom:1px solid var(--grid)}"
    "table.cards tr:last-child{border-bottom:0}"
    "table.cards th,table.cards td{padding:.1rem 0;border:0;text-align:left}"
    "table.cards td[data-label]::before{content:attr(data-label) \": \";color:var(--quiet)}"
    "table.cards td:empty{display:none}"
    ".facts{grid-template-columns:1fr;gap:0}"
    ".facts dt{margin-top:.35rem;line-height:1.4}}";

static const char printed[] =
    "@media print{@page{margin:14mm}body{background:none;font-size:10pt}"
    "main{max-width:none;padding:0}section{margin-top:1.6rem}h2,.lead{break-after:avoid}"
    "tr,.tile,.verdict{break-inside:avoid}table{font-size:8pt}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

static const char *const parts[] = {wide, blocks, narrow, printed};

void report_style_put(FILE *out)
{
  for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) fputs(parts[p], out);
}

void report_style_hash(char out[REPORT_STYLE_HASH])
{
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_MD_CTX *sum = EVP_MD_CTX_new();
  bool whole = sum != NULL && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1;
  for (size_t p = 0; whole && p < sizeof parts / sizeof *parts; p++)
    whole = EVP_DigestUpdate(sum, parts[p], strlen(parts[p])) == 1;
  whole = whole && EVP_DigestFinal_ex(sum, hash, &size) == 1;
  out[0] = '\0';
  if (whole) EVP_EncodeBlock((unsigned char *) out, hash, (int) size);
  EVP_MD_CTX_free(sum);
}
