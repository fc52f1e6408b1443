# Writes the frozen values that tests/profile/biomarkers/test_scoring.py compares with: R 4.2.2, GSVA 1.46.0.
# Rscript gsva_ssgsea.R expression.csv scores.csv
arguments <- commandArgs(trailingOnly = TRUE)
suppressMessages(library(GSVA))
stopifnot(packageVersion("GSVA") == "1.46.0")
set.seed(20261127)
genes <- sprintf("G%03d", 1:300)
x <- matrix(round(rexp(300 * 8, 0.2), 1), nrow = 300, dimnames = list(genes, sprintf("S%d", 1:8)))
x[matrix(runif(300 * 8) < 0.35, nrow = 300)] <- 0            # many ties at zero
x[, "S7"] <- rpois(300, 1)                                   # almost everything tied
x[, "S8"] <- seq_len(300) / 7                                # no ties
sets <- list(
  first = genes[1:20], last = genes[281:300], spread = genes[seq(1, 300, by = 13)], pair = genes[c(5, 150)],
  large = genes[1:200], one = genes[77], reversed = rev(genes[40:60]), unknown = c(genes[10:15], "NOT_A_GENE"))
out <- do.call(rbind, lapply(c(0.25, 1), function(tau) {
  scores <- gsva(x, sets, method = "ssgsea", ssgsea.norm = FALSE, tau = tau, verbose = FALSE)
  data.frame(alpha = tau, set = rownames(scores), format(as.data.frame(scores), digits = 17, trim = TRUE))
}))
write.csv(data.frame(gene = genes, x), arguments[1], row.names = FALSE, quote = FALSE)
write.csv(out, arguments[2], row.names = FALSE, quote = FALSE)
