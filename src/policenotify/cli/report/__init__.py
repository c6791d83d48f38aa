"""The page of `--html`: every network as its readers see it, in one file that asks nothing of any network.

[`drawing`][policenotify.cli.report.builder] makes the [`values`][policenotify.cli.report.values] that it shows, with
what [`networks`][policenotify.cli.report.networks] knows of each network; [`html`][policenotify.cli.report.renderer]
lays them out; [`file`][policenotify.cli.report.file] keeps the file. Its labels are English, as the command line is:
reasons, remedies and findings are. What the public reads keeps its own language, and says which.
"""
