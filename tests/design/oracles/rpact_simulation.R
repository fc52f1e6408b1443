# Writes rpact_simulation.json: simulated power and error of adaptive designs from rpact, against which the tests compare.
# Run:  Rscript rpact_simulation.R   (Debian 12: r-cran-rpact 3.3.4, r-cran-jsonlite, r-cran-mnormt; some minutes)
suppressMessages({library(rpact); library(jsonlite)})
d <- getDesignInverseNormal(kMax = 2, alpha = 0.025, typeOfDesign = "OF")
enrichment <- function(hr, n) {
  e <- list(subGroups = c("S", "R"), prevalences = c(0.45, 0.55), hazardRatios = matrix(c(hr, 1), nrow = 1))
  s <- getSimulationEnrichmentSurvival(d, effectList = e, plannedEvents = c(120, 240), typeOfSelection = "best",
    intersectionTest = "Simes", directionUpper = FALSE, maxNumberOfIterations = n, seed = 1)
  list(hazardRatio = hr, iterations = n, rejectAtLeastOne = as.numeric(s$rejectAtLeastOne))
}
multiarm <- function(n) {
  s <- getSimulationMultiArmSurvival(d, activeArms = 3, typeOfShape = "linear", omegaMaxVector = 0.6, plannedEvents = c(100, 200),
    typeOfSelection = "best", intersectionTest = "Dunnett", directionUpper = FALSE, maxNumberOfIterations = n, seed = 1)
  list(omegaMax = 0.6, iterations = n, rejectAtLeastOne = as.numeric(s$rejectAtLeastOne))
}
out <- list(rpact = as.character(packageVersion("rpact")), R = R.version.string,
  enrichment = list(enrichment(0.6, 5000), enrichment(1, 10000)), multiarm = multiarm(2000))
write(toJSON(out, auto_unbox = TRUE, digits = 6, pretty = TRUE), "rpact_simulation.json")
