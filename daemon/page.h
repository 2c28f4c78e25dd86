/*
 * page.h - what HTTP serves: /metrics and /healthz for monitors, and the page with its data.
 *
 *   /  /page.js  /page.css       the page, part of this program
 *   /dygraph.js  /dygraph.css    where the package libjs-dygraphs put them
 *   /events                      server-sent events: state_put() each second;  /state: once
 *   /tape /tracks /symbols /coverage /gaps /ticks   JSON, out of the tape, by tool.h
 *
 * Each of the last group is {"rows":[...],"told":"..."}, as the command of the same name with
 * --json prints them, or {"error":"..."}. Nothing can be changed.
 */
#ifndef TDK_DAEMON_PAGE_H
#define TDK_DAEMON_PAGE_H

#include "daemon/http.h"

extern const struct http_route page_routes[];

#endif
