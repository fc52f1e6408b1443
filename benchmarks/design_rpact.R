# Times rpact's simulation of a group-sequential survival trial: Rscript design_rpact.R REPLICATES
suppressMessages(library(rpact))
n <- as.integer(commandArgs(trailingOnly = TRUE)[1])
d <- getDesignGroupSequential(informationRates = c(0.5, 0.75, 1), alpha = 0.025, typeOfDesign = "asOF")
began <- proc.time()[["elapsed"]]
s <- getSimulationSurvival(d, hazardRatio = 0.75, median2 = 12, plannedEvents = c(150, 225, 300), accrualTime = c(0, 24),
  maxNumberOfSubjects = 500, directionUpper = FALSE, maxNumberOfIterations = n, seed = 1)
cat(proc.time()[["elapsed"]] - began, s$overallReject, as.character(packageVersion("rpact")), "\n")
