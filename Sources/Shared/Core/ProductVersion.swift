/// What this program calls itself, in `--version` and in the node's report.
public enum ProductVersion {
  public static let text = "librenms-dispatcher 0.1.0"
}
