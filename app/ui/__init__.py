"""The page: Chat and Library, in English and Chinese. The only floor that imports streamlit."""
