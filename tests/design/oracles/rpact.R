# Writes rpact.json: boundaries, sample sizes and powers from rpact, against which the tests compare.
# Run:  Rscript rpact.R   (Debian 12: r-cran-rpact 3.3.4, r-cran-jsonlite)
library(rpact); library(jsonlite)
num <- function(x) as.numeric(x)
one <- function(...) {
  d <- getDesignGroupSequential(...)
  list(criticalValues = num(d$criticalValues), alphaSpent = num(d$alphaSpent),
       futilityBounds = if (length(d$futilityBounds) == 0 || all(is.na(d$futilityBounds)) || all(d$futilityBounds <= -6)) NULL else num(d$futilityBounds))
}
designs <- list()
for (type in c("OF", "P", "asOF", "asP")) for (k in 2:5) for (a in c(0.025, 0.05))
  designs[[length(designs) + 1]] <- c(list(type = type, fraction = (1:k) / k, alpha = a, parameter = 0),
    one(kMax = k, alpha = a, typeOfDesign = type))
for (delta in c(0.1, 0.25, 0.4)) for (k in 2:4)
  designs[[length(designs) + 1]] <- c(list(type = "WT", fraction = (1:k) / k, alpha = 0.025, parameter = delta),
    one(kMax = k, alpha = 0.025, typeOfDesign = "WT", deltaWT = delta))
for (gamma in c(-4, -2, 1)) for (f in list(c(0.3, 0.6, 1), c(0.5, 0.8, 1)))
  designs[[length(designs) + 1]] <- c(list(type = "asHSD", fraction = f, alpha = 0.025, parameter = gamma),
    one(informationRates = f, alpha = 0.025, typeOfDesign = "asHSD", gammaA = gamma))
for (rho in c(1.5, 3)) designs[[length(designs) + 1]] <- c(list(type = "asKD", fraction = c(0.4, 0.7, 1), alpha = 0.025, parameter = rho),
    one(informationRates = c(0.4, 0.7, 1), alpha = 0.025, typeOfDesign = "asKD", gammaA = rho))
for (f in list(c(0.6, 1), c(0.7, 1), c(0.25, 0.5, 0.75, 1), c(0.2, 0.9, 1))) for (type in c("asOF", "asP"))
  designs[[length(designs) + 1]] <- c(list(type = type, fraction = f, alpha = 0.025, parameter = 0),
    one(informationRates = f, alpha = 0.025, typeOfDesign = type))
futility <- list()
for (binding in c(FALSE, TRUE)) for (b in c(0.1, 0.2)) for (bs in c("bsOF", "bsP", "bsHSD")) {
  args <- list(informationRates = c(0.5, 0.75, 1), alpha = 0.025, beta = b, typeOfDesign = "asOF", typeBetaSpending = bs, bindingFutility = binding)
  if (bs == "bsHSD") args$gammaB <- -2
  futility[[length(futility) + 1]] <- c(list(beta = b, betaType = bs, binding = binding), do.call(one, args))
}
survival <- list()
for (hr in c(0.6, 0.7, 0.8)) for (k in list(c(1), c(0.6, 1), c(0.5, 0.75, 1))) for (ratio in c(1, 2)) {
  d <- if (length(k) == 1) getDesignGroupSequential(kMax = 1, alpha = 0.025, beta = 0.1) else getDesignGroupSequential(informationRates = k, alpha = 0.025, beta = 0.1, typeOfDesign = "asOF")
  s <- getSampleSizeSurvival(d, hazardRatio = hr, median2 = 12, accrualTime = 24, followUpTime = 12, allocationRatioPlanned = ratio)
  survival[[length(survival) + 1]] <- list(hr = hr, fraction = k, ratio = ratio, median = 12, accrual = 24, followUp = 12,
    events = num(max(s$maxNumberOfEvents)), patients = num(max(s$maxNumberOfSubjects)))
}
rates <- list()
for (p in list(c(0.45, 0.25), c(0.2, 0.1), c(0.6, 0.4))) for (k in list(c(1), c(0.5, 1))) for (ratio in c(1, 2)) {
  d <- if (length(k) == 1) getDesignGroupSequential(kMax = 1, alpha = 0.025, beta = 0.2) else getDesignGroupSequential(informationRates = k, alpha = 0.025, beta = 0.2, typeOfDesign = "asOF")
  s <- getSampleSizeRates(d, pi1 = p[1], pi2 = p[2], allocationRatioPlanned = ratio, normalApproximation = TRUE)
  rates[[length(rates) + 1]] <- list(pi1 = p[1], pi2 = p[2], fraction = k, ratio = ratio, patients = num(if (length(k) == 1) s$nFixed else max(s$maxNumberOfSubjects)))
}
means <- list()
for (e in c(0.3, 0.5)) for (k in list(c(1), c(0.5, 1))) for (ratio in c(1, 2)) {
  d <- if (length(k) == 1) getDesignGroupSequential(kMax = 1, alpha = 0.025, beta = 0.1) else getDesignGroupSequential(informationRates = k, alpha = 0.025, beta = 0.1, typeOfDesign = "asOF")
  s <- getSampleSizeMeans(d, alternative = e, stDev = 1, allocationRatioPlanned = ratio, normalApproximation = TRUE)
  means[[length(means) + 1]] <- list(effect = e, fraction = k, ratio = ratio, patients = num(if (length(k) == 1) s$nFixed else max(s$maxNumberOfSubjects)))
}
powers <- list()
for (hr in c(0.65, 0.75, 0.85)) {
  d <- getDesignGroupSequential(informationRates = c(0.6, 1), alpha = 0.025, typeOfDesign = "asOF")
  p <- getPowerSurvival(d, hazardRatio = hr, median2 = 12, accrualTime = 24, maxNumberOfSubjects = 500, maxNumberOfEvents = 300, directionUpper = FALSE)
  powers[[length(powers) + 1]] <- list(hr = hr, events = 300, patients = 500, power = num(p$overallReject), early = num(p$earlyStop), expectedEvents = num(p$expectedNumberOfEvents),
    analysisTime = num(p$analysisTime))
}
dunnett <- list()
library(mvtnorm)
for (g in 2:4) dunnett[[length(dunnett) + 1]] <- list(arms = g, critical = qmvnorm(0.975, sigma = diag(0.5, g) + 0.5, tail = "lower.tail")$quantile)
out <- list(rpact = as.character(packageVersion("rpact")), R = R.version.string, designs = designs, futility = futility,
  survival = survival, rates = rates, means = means, powers = powers, dunnett = dunnett)
write(toJSON(out, auto_unbox = TRUE, digits = 10, null = "null", pretty = TRUE), "rpact.json")
