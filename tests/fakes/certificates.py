"""A certificate authority for one test: `openssl` signs what is asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """Makes certificates below one folder; their names are `<name>.pem` and `<name>-key.pem`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self.certificate, self.key = folder / f"{name}.pem", folder / f"{name}-key.pem"
        _openssl(
            *"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(),
            *("-subj", f"/CN={name}", "-keyout", str(self.key), "-out", str(self.certificate)),
            # Python 3.13 trusts no authority that does not say what its key is for.
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def issue(self, name: str, *, usage: str, host: str = "") -> tuple[Path, Path]:
        """Return a certificate for this machine, and for `host` if there is one, and its key.

        `usage` is serverAuth or clientAuth.
        """
        names = ["DNS:localhost", "IP:127.0.0.1", *([f"DNS:{host}"] if host else ())]
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}-key.pem"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName={','.join(names)}\nextendedKeyUsage={usage}\n", encoding="ascii"
        )
        _openssl(
            *"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(),
            *("-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-days", "2", "-in", str(request), "-out", str(certificate)),
            *("-CA", str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial"),
            *("-extfile", str(extensions)),
        )
        return certificate, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
