"""report.html: what a run was asked, what came of it and where it errs, on one page.

The page is made from the files of the run folder alone, loads nothing and runs no script: labels,
texts and file names are the data's, and must not become markup.

document      run folder -> report.html
comparison/   folder of a comparison -> report.html; sections of its own
rendering     head and sections -> a page; a section that fails does not take the page with it
run_files     the files of a run; what an older run lacks is empty
shown_rows    which rows of the predictions are shown
media         thumbnails and clips of those rows as data: addresses
wording       numbers and texts as the page writes them
frame, axis   what every drawing has
*_chart       numbers -> positions in a drawing, which templates/charts.html draws

Each other file is a section: `TITLE`, and `view(files)`, which returns plain values for the
template of the same name, or None where there is nothing to show.
"""
