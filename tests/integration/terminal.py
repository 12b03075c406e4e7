"""Run commands of the program in this process, as a person at a terminal does."""

from halocline.cli import main


class Terminal:
    """`says` for commands that must do well, `fails` for those that must not."""

    def __init__(self, capsys) -> None:
        self._capsys = capsys

    def says(self, *words: str) -> str:
        """What it prints, and nothing on the other stream."""
        self._capsys.readouterr()
        code = main(words)
        printed = self._capsys.readouterr()
        assert code == 0, printed.err
        assert not printed.err
        return printed.out.strip()

    def fails(self, code: int, *words: str) -> str:
        """Its one line, where it ends with this exit code."""
        self._capsys.readouterr()
        assert main(words) == code
        printed = self._capsys.readouterr()
        assert not printed.out
        assert printed.err.count("\n") == 1
        return printed.err
