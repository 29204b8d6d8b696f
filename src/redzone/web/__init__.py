"""The dashboard: pages over the run folders, rendered on the server.

A page is a module with `routes`, which `app.py` lists, and templates that extend `base.html`. A handler
reads what it shows in a thread (`asyncio.to_thread`) and answers with `pages.render`; routes name runs and
rows as `{run_id:run}` and `{row:row}`, and `site_of(request)` is what all pages share. Expected errors are
raised as they are everywhere: RunNotFound becomes a 404, any other UsageError a 400. What moves is a part of
the page that `streams.stream_parts` sends again when it has changed. Pages hold no script of their own:
`static/app.js` says at its top what attributes it understands. A page's own looks go into a sheet of its own
under `static/`, which its template links in the block `head`.
"""
