"""Read data of any form that people have: arrays, folders of files, tables, COCO, Parquet."""

from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress
from halocline.data.reader import read
from halocline.data.windows import Series

__all__ = ["BadRow", "Content", "Dataset", "Kind", "Progress", "Series", "read"]
