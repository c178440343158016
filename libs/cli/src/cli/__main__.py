"""`python -m cli` is the `revocast` command."""

from cli.main import app

if __name__ == "__main__":
    app(prog_name="revocast")
