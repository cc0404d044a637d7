"""Where a video's section comes from: each source brings one file at a time, or says why it cannot.

FolderSource     files that lie here already, named by id
UrlSource        a URL template: http, https and file
YtDlpSource      yt-dlp, of which only the section is asked for
"""

from v2s_engine.vegas.sources.source import BroughtFile, FetchFailure, Section, Source, before_section

__all__ = ["BroughtFile", "FetchFailure", "Section", "Source", "before_section"]
