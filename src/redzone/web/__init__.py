"""The dashboard: pages about the runs of a home, rendered on the server.

It reads run folders and starts `redzone` processes; it never imports the engine. Three packages:

- `pages/`: one module per page, its routes and handlers. Pages import views and services.
- `views/`: what a page shows, as values made from the data of services. Views do not import pages.
- `services/`: state, caches and child processes. Services import neither pages nor views.

To add a page: write a module in `pages/` with `routes` and list it in `app.PAGES`; its template extends
`base.html`. A handler reads its data in a thread (`asyncio.to_thread`) and returns `templates.render(...)`.
Routes take runs and rows as `{run_id:run}` and `{row:row}`; `services.state.app_state(request)` is what all
pages share. Raise errors as elsewhere: RunNotFound becomes a 404, any other UsageError a 400. Live parts are
sent by `live_stream.stream_parts` when they have changed. Pages have no scripts of their own: `static/app.js`
lists the attributes that it supports. A page's style sheet goes under `static/` and is linked in the block
`head` of its template.
"""
