"""`python -m cohelix.simulate.omop OMOP_CDMv5.4_Field_Level.csv`: facts about the data model, to stdout."""

import sys
from pathlib import Path

from cohelix.simulate.omop.cdm import compact

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in compact(Path(sys.argv[1])))
