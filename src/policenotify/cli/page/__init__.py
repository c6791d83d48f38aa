"""The page of `--html`: every network as its readers see it, in one file that asks nothing of any network.

[`drawing`][policenotify.cli.page.drawing] makes the [`values`][policenotify.cli.page.values] that it shows, with what
[`networks`][policenotify.cli.page.networks] knows of each network; [`html`][policenotify.cli.page.html] lays them out;
[`file`][policenotify.cli.page.file] keeps the file. Its labels are English, as the command line is: reasons, remedies
and findings are. What the public reads keeps its own language, and says which.
"""
