#!/usr/bin/env Rscript
# SQL to a data frame. Needs the package curl: install.packages("curl").
#
#   LOCKKEEPER_URL=https://lk.example.com LOCKKEEPER_TOKEN=lk_pat_... \
#     Rscript frame.R 'SELECT day, amount FROM sales WHERE day >= :since' since:date=2026-09-01
#
# The token needs the scopes runs:write and runs:read.

# lk_frame returns the rows of sql; params are c("name:type" = value), bound to :name.
lk_frame <- function(sql, params = character()) {
  url <- paste0(sub("/$", "", Sys.getenv("LOCKKEEPER_URL")), "/api/v1/query?format=csv&null=%5CN")
  for (name in names(params)) {
    url <- paste0(url, "&", curl::curl_escape(paste0("p.", name)), "=", curl::curl_escape(params[[name]]))
  }
  request <- curl::new_handle(copypostfields = enc2utf8(sql), timeout = 90)
  curl::handle_setheaders(request,
    "Authorization" = paste("Bearer", Sys.getenv("LOCKKEEPER_TOKEN")), # never into the URL
    "Content-Type" = "application/sql")
  answer <- curl::curl_fetch_memory(url, handle = request)
  body <- rawToChar(answer$content)
  Encoding(body) <- "UTF-8"
  header <- curl::parse_headers_list(answer$headers)
  if (answer$status_code == 202) {
    stop("still running; its rows will be at ", header[["location"]], "/result.csv")
  }
  if (answer$status_code != 200) {
    stop(answer$status_code, ": ", body) # a problem: its detail says what to do
  }
  if (!is.null(header[["lockkeeper-truncated"]])) {
    stop("the result was cut by ", header[["lockkeeper-truncated"]])
  }
  read.csv(text = body, na.strings = "\\N", check.names = FALSE)
}

if (sys.nframe() == 0) {
  args <- commandArgs(trailingOnly = TRUE)
  pairs <- regmatches(args[-1], regexpr("=", args[-1]), invert = TRUE)
  params <- vapply(pairs, `[`, "", 2)
  names(params) <- vapply(pairs, `[`, "", 1)
  write.csv(lk_frame(args[1], params), row.names = FALSE, quote = FALSE)
}
