/** What `holdfast upload --help` prints. */
export const UPLOAD_HELP = `holdfast upload FILE… --to URL

Uploads files to a Holdfast server, each in chunks with a SHA-256, several at a time. What was stopped, by Ctrl-C, by a
crash or by a network, goes on when the same command is run again: nothing that the server has is sent twice.

  --to URL               address of the server, as https://uploads.example.com (or HOLDFAST_URL)
  --token TOKEN          the login (rather HOLDFAST_TOKEN: everybody on this machine sees flags)
  --parallel N           chunks at a time, 1 to 64 [default: 3]
  --type TYPE            media type of the files [default: application/octet-stream]
  --api-prefix PATH      where the server has its JSON API [default: /api/v1/uploads]
  --json                 prints each finished file as a line of JSON
  -h, --help             prints this

Progress goes to standard error, what became of each file to standard output. What is unfinished is remembered in
$XDG_STATE_HOME/holdfast/uploads (~/.local/state/holdfast/uploads), a small file for each.

Exit codes: 0 all files are there, 1 some are not, 2 the command cannot be followed, 130 Ctrl-C, 143 SIGTERM.
`
